import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

interface GridPos {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: GridPos;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: { readonly uid: string };
  }[];
}

const text = readFileSync(join(import.meta.dirname, 'dashboard.json'), 'utf8');
const dashboard = JSON.parse(text) as {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly panels: readonly Panel[];
};
const { panels } = dashboard;
const graphs = panels.filter(({ type }) => type !== 'row');

test('the dashboard can be imported anywhere: it names no data source and no id of an instance', () => {
  assert.equal(dashboard.uid, 'external-secrets-admission');
  assert.ok(dashboard.schemaVersion >= 38, 'Grafana 10 or newer');
  assert.deepEqual(
    dashboard.templating.list.map(({ name, type }) => `${name} ${type}`),
    ['datasource datasource', 'installation query', 'namespace query'],
  );
  const sources = [...text.matchAll(/"uid": "([^"]+)"/g)].map(([, uid]) => uid);
  assert.deepEqual(
    [...new Set(sources)].toSorted((a = '', b = '') => (a < b ? -1 : 1)),
    ['$datasource', dashboard.uid],
  );
  assert.ok(!('id' in dashboard));
});

test('panels have an id each, and none covers another', () => {
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Map<string, string>();
  for (const { title, gridPos } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        const place = `${x},${y}`;
        assert.equal(taken.get(place), undefined, `${title} covers another one at ${place}`);
        taken.set(place, title);
      }
    }
  }
});

test('every panel says what it shows, in which unit, and by which queries', () => {
  assert.ok(graphs.length >= 25);
  assert.equal(new Set(graphs.map(({ title }) => title)).size, graphs.length);
  for (const { title, description = '', datasource, fieldConfig, targets = [] } of graphs) {
    assert.ok(description.length > 20 && description.endsWith('.'), title);
    assert.ok(fieldConfig?.defaults.unit, title);
    assert.equal(datasource?.uid, '$datasource', title);
    assert.ok(targets.length > 0, title);
    assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    for (const { expr, legendFormat, datasource: own } of targets) {
      assert.ok(expr !== '' && legendFormat !== '', title);
      assert.equal(own.uid, '$datasource', title);
    }
  }
});
