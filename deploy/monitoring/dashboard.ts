/** The Grafana dashboard, written as what it shows; `make generate` makes deploy/monitoring/dashboard.json of it. */
import { type Panel, SECTIONS, type Section } from './panels.ts';

const WIDTH = 24;
const HEIGHTS = { stat: 4, table: 8, timeseries: 8 } as const;
/** Chosen in the dashboard, so that it fits every Grafana. */
const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

function steps({ thresholds }: Panel): readonly object[] {
  if (thresholds === undefined) return [{ color: 'green', value: null }];
  const { yellow, red, lowIsBad } = thresholds;
  return lowIsBad
    ? [
        { color: 'red', value: null },
        { color: 'yellow', value: red },
        { color: 'green', value: yellow },
      ]
    : [
        { color: 'green', value: null },
        { color: 'yellow', value: yellow },
        { color: 'red', value: red },
      ];
}

function optionsOf({ type, queries }: Panel): object {
  if (type === 'timeseries') {
    return {
      legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    };
  }
  if (type === 'table') return { cellHeight: 'sm', showHeader: true };
  const several = queries.some(({ legend }) => legend.includes('{{'));
  return {
    colorMode: 'value',
    graphMode: several ? 'none' : 'area',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    textMode: several ? 'value_and_name' : 'auto',
  };
}

function panelOf(panel: Panel, id: number, gridPos: object): object {
  const { title, description, type, unit, queries } = panel;
  return {
    id,
    type,
    title,
    description,
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: {
      defaults: {
        unit,
        // A share, a count and a duration are never below nothing; a certificate that has ended is.
        ...(type === 'timeseries' ? { min: 0, custom: { fillOpacity: 8, showPoints: 'never' } } : {}),
        thresholds: { mode: 'absolute', steps: steps(panel) },
      },
      overrides: [],
    },
    options: optionsOf(panel),
    ...(type === 'table'
      ? { transformations: [{ id: 'organize', options: { excludeByName: { Time: true, Value: true } } }] }
      : {}),
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
      ...(type === 'table' ? { format: 'table', instant: true } : { range: true }),
    })),
  };
}

/** Sections below each other, panels from left to right, as wide as they say. */
function layOut(sections: readonly Section[]): readonly object[] {
  const panels: object[] = [];
  let y = 0;
  for (const { title, panels: own } of sections) {
    const row = { id: panels.length + 1, type: 'row', title, collapsed: false, panels: [] };
    panels.push({ ...row, gridPos: { h: 1, w: WIDTH, x: 0, y } });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of own) {
      if (x + panel.width > WIDTH) {
        y += height;
        x = 0;
        height = 0;
      }
      const h = HEIGHTS[panel.type];
      panels.push(panelOf(panel, panels.length + 1, { h, w: panel.width, x, y }));
      x += panel.width;
      height = Math.max(height, h);
    }
    y += height;
  }
  return panels;
}

/** A variable whose values are those of a label; all of them if none is chosen, series without it included. */
const labelVariable = (name: string, label: string, metric: string, of: string): object => ({
  type: 'query',
  name,
  label,
  datasource: DATASOURCE,
  query: { query: `label_values(${metric}, ${of})`, refId: name },
  definition: `label_values(${metric}, ${of})`,
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.*',
  current: { selected: true, text: ['All'], value: ['$__all'] },
});

/** The text of deploy/monitoring/dashboard.json. */
export function renderDashboard(): string {
  const dashboard = {
    uid: 'external-secrets-admission',
    title: 'External secrets',
    description: 'Webhook and poller of external-secrets-admission: what they do, and what hinders them.',
    tags: ['kubernetes', 'external-secrets'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: {
      list: [
        {
          type: 'datasource',
          name: 'datasource',
          label: 'Data source',
          query: 'prometheus',
          current: {},
          refresh: 1,
        },
        labelVariable('installation', 'Programs in', 'esa_build_info', 'namespace'),
        labelVariable('namespace', 'Objects in', 'externalsecret_status_condition', 'namespace'),
      ],
    },
    annotations: { list: [] },
    links: [],
    panels: layOut(SECTIONS),
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}
