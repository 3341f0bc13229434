# One image for all consumers: docker run … novabatch run submit|job_state|cleanup
# The tag pins the patch release; a build that must repeat byte by byte gives name@sha256:… here.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/novabatch
COPY requirements.txt requirements-dev.txt ./
RUN pip --python /opt/novabatch/bin/python install --no-cache-dir --require-hashes -r requirements.txt
# What builds the wheel is locked too, and stays in this stage.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements-dev.txt > build.txt \
    && pip install --no-cache-dir --require-hashes -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY consumers consumers
COPY daemon daemon
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/novabatch/bin/python install --no-cache-dir --no-deps dist/*.whl

FROM ${PYTHON}
RUN pip uninstall --yes setuptools wheel pip \
    && useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin novabatch
COPY --from=build /opt/novabatch /opt/novabatch
# One port in every container, whatever its consumer; loopback until NOVABATCH_HTTP_HOST says otherwise.
ENV PATH=/opt/novabatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NOVABATCH_HTTP_PORT=9100
USER 10001:10001
# The one place to write where the root file system is read-only, as free to write as it is here.
VOLUME ["/tmp"]
WORKDIR /tmp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9100/live', timeout=4)"]
ENTRYPOINT ["novabatch"]
CMD ["run", "all"]
