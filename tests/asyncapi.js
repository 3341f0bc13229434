// Reads an AsyncAPI document from standard input and prints what the public parser finds wrong with it.
const { Parser } = require("@asyncapi/parser");
const text = require("fs").readFileSync(0, "utf8");

new Parser().parse(text).then(({ document, diagnostics }) => {
  const found = diagnostics.map((each) => ({ ...each, path: each.path.join("/") }));
  const told = document
    ? {
        channels: document.channels().all().map((each) => each.id()),
        operations: document.operations().all().map((each) => each.id()),
        messages: document.allMessages().all().map((each) => each.id()),
      }
    : {};
  console.log(JSON.stringify({ found, ...told }));
});
