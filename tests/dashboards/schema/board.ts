// What a dashboard of ours may be, by the types that Grafana publishes. `@grafana/schema`, `raw` and `loki` are those
// of one version of Grafana: test_schema.py says of which.

import type {
  AnnotationQuery, Dashboard, DashboardLink, DataQuery, FieldConfig, FieldConfigSource, Panel, RowPanel, VariableModel,
} from '@grafana/schema';
import type { LokiDataQuery } from 'loki/LokiDataQuery_types.gen';
import type { Options as LogsOptions } from 'raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen';
import type { Options as StatOptions } from 'raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
  FieldConfig as BandsConfig, Options as BandsOptions,
} from 'raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type {
  FieldConfig as TableConfig, Options as TableOptions,
} from 'raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as TextOptions } from 'raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type {
  FieldConfig as LinesConfig, Options as LinesOptions,
} from 'raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has no enums: their values stand for them.
type Plain<T> = T extends string ? `${T}` : T extends number ? (`${T}` extends `${infer N extends number}` ? N : T)
  : T extends boolean | null | undefined ? T
  : T extends Array<infer Each> ? Array<Plain<Each>>
  : T extends object ? { [Key in keyof T]: Plain<T[Key]> } : T;

// Of the Prometheus datasource no types are published here.
interface PrometheusQuery extends DataQuery {
  expr: string;
  legendFormat: string;
  range: boolean;
  instant: boolean;
  editorMode: 'code';
}

interface Link {
  title: string;
  url: string;
  targetBlank: boolean;
}

type Defaults<Custom> = Omit<FieldConfig, 'custom' | 'links'> & { custom?: Custom; links?: Link[] };

type One<Kind extends string, Options, Custom = never> =
  & Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'>
  & {
    type: Kind;
    // What is left out has Grafana's default.
    options: Partial<Options>;
    fieldConfig?: { defaults: Defaults<Custom>; overrides: FieldConfigSource['overrides'] };
    targets?: Array<LokiDataQuery | PrometheusQuery>;
  };

type AnyPanel =
  | One<'timeseries', LinesOptions, LinesConfig>
  | One<'stat', StatOptions>
  | One<'table', TableOptions, Partial<TableConfig>>
  | One<'state-timeline', BandsOptions, BandsConfig>
  | One<'logs', LogsOptions>
  | One<'text', TextOptions>;

type Row = Omit<RowPanel, 'panels'> & { panels: AnyPanel[] };

// What Grafana's Loki datasource reads of an annotation besides.
type Annotation = AnnotationQuery & { expr: string; titleFormat: string; textFormat: string; tagKeys: string };

export type Board = Plain<Omit<Dashboard, 'panels' | 'annotations' | 'templating' | 'links'> & {
  panels: Array<AnyPanel | Row>;
  annotations: { list: Annotation[] };
  templating: { list: Array<VariableModel & { definition?: string }> };
  links: DashboardLink[];
}>;
