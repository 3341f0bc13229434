// The types that a generated dashboard is held to: Grafana's own, made strict where they leave things open.

import type {
  Dashboard, DashboardLink, DataQuery, FieldConfig, GraphFieldConfig, Panel, RowPanel, VariableModel,
} from "@grafana/schema";
import type { Options as Stat } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type { Options as Lines } from
  "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
import type { Options as Table } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";

// JSON holds the values of enumerations, not their names.
type Plain<T> = T extends string ? `${T}`
  : T extends (infer Each)[] ? Plain<Each>[]
  : T extends object ? { [Name in keyof T]: Plain<T[Name]> }
  : T;

interface DataLink { title: string; url: string; targetBlank: boolean }
interface Query extends DataQuery {
  expr: string; legendFormat: string; instant?: boolean; range?: boolean; format?: "table";
}
interface Override {
  matcher: { id: "byName"; options: string };
  properties: { id: "links"; value: DataLink[] }[];
}
interface Organize {
  id: "organize";
  options: {
    excludeByName: Record<string, boolean>;
    indexByName: Record<string, number>;
    renameByName: Record<string, string>;
  };
}
type Defaults<Custom> = Omit<FieldConfig, "custom" | "links" | "unit"> & {
  unit: string; links?: DataLink[]; custom?: Custom;
};
interface Drawn<Type extends string, Options, Custom = never>
  extends Omit<Panel, "type" | "options" | "targets" | "fieldConfig" | "transformations" | "links"> {
  type: Type;
  options: Options;
  targets: Query[];
  fieldConfig: { defaults: Defaults<Custom>; overrides: Override[] };
  transformations?: Organize[];
  links?: DashboardLink[];
}
type OneOf = Drawn<"stat", Stat> | Drawn<"timeseries", Lines, GraphFieldConfig> | Drawn<"table", Table> | RowPanel;
interface Annotation {
  name: string; datasource: { type: string; uid: string }; enable: boolean; iconColor: string;
  expr: string; titleFormat: string; step: string;
}

export type Generated = Plain<
  Omit<Dashboard, "panels" | "templating" | "annotations"> & {
    uid: string; panels: OneOf[]; templating: { list: VariableModel[] }; annotations: { list: Annotation[] };
  }
>;
