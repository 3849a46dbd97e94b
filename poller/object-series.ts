/**
 * The metrics of single ExternalSecrets, under the names that ESO gives them. Nothing is kept for them beyond what is
 * kept of each object anyway; the text is made when somebody scrapes, piece by piece, so that it holds up nothing else.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { splitName } from '../api/kubernetes-client/names.ts';
import { KES_STORE_PREFIX } from '../api/kubernetes-client/to-hub.ts';
import type { Log } from '../runtime/log.ts';
import type { Tracked } from './tracked.ts';

export type ObjectMetricsMode = 'auto' | 'on' | 'off';

/** Five series an object: beyond this many objects the server that scrapes has to be made for it. */
const AUTO_LIMIT = 20_000;
/** Objects whose series are made in one turn of the event loop. */
const CHUNK = 500;

/** A metric with series for each object; all of them have the labels `name` and `namespace`. */
interface Family {
  /** True: of the ExternalSecrets of KES, in its names; else of the others. */
  readonly kes?: true;
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** Further labels. */
  readonly labels: readonly string[];
  /** Their text and the value of each series. */
  readonly samples: (object: Tracked) => readonly (readonly [labels: string, value: number])[];
}

export const FAMILIES: readonly Family[] = [
  {
    name: 'externalsecret_sync_calls_total',
    type: 'counter',
    help: 'Attempts to sync.',
    labels: [],
    samples: ({ attempts }) => (attempts > 0 ? [['', attempts]] : []),
  },
  {
    name: 'externalsecret_sync_calls_error',
    type: 'counter',
    help: 'Failed attempts to sync.',
    labels: [],
    samples: ({ errors }) => (errors > 0 ? [['', errors]] : []),
  },
  {
    name: 'externalsecret_status_condition',
    type: 'gauge',
    help: 'Current condition of an ExternalSecret.',
    labels: ['condition', 'status'],
    samples: ({ condition }) =>
      condition === undefined
        ? []
        : (['True', 'False'] as const).map((status) => [
            `,condition="Ready",status="${status}"`,
            condition === status ? 1 : 0,
          ]),
  },
  {
    name: 'externalsecret_reconcile_duration',
    type: 'gauge',
    help: 'Duration of the last sync, nanoseconds.',
    labels: [],
    samples: ({ attempts, microseconds }) => (attempts > 0 ? [['', microseconds * 1000]] : []),
  },
  {
    kes: true,
    name: 'kubernetes_external_secrets_sync_calls_count',
    type: 'counter',
    help: 'Number of sync operations by backend, secret name and status.',
    labels: ['backend', 'status'],
    samples: (object) => {
      const { attempts, errors } = object;
      const backend = backendOf(object);
      return [
        ...(attempts > errors ? [[`${backend},status="success"`, attempts - errors] as const] : []),
        ...(errors > 0 ? [[`${backend},status="error"`, errors] as const] : []),
      ];
    },
  },
  {
    kes: true,
    name: 'kubernetes_external_secrets_last_sync_call_state',
    type: 'gauge',
    help: 'State of the last sync operation: 1 = success, -1 = failure.',
    labels: ['backend'],
    samples: (object) =>
      object.condition === undefined || object.attempts === 0
        ? []
        : [[backendOf(object), object.condition === 'True' ? 1 : -1]],
  },
];

/** The name of the one store of an object of KES begins with its backend; one that reads nothing has none. */
const backendOf = ({ stores: [store = ''] }: Tracked): string =>
  `,backend="${escaped(store.split(KES_STORE_PREFIX)[1]?.split(':')[0] ?? '')}"`;

/** As the text format of Prometheus has it. */
const escaped = (value: string): string =>
  value.replace(/[\\\n"]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));

function labelsOf({ key }: Tracked): { readonly kes: boolean; readonly text: string } {
  const slash = key.indexOf('/');
  const { kes, name } = splitName(key.slice(slash + 1));
  return { kes, text: `name="${escaped(name)}",namespace="${escaped(key.slice(0, slash))}"` };
}

/** The text of all series, in pieces; between two of them others have their turn. */
export async function* objectSeries(objects: () => Iterable<Tracked>): AsyncGenerator<string> {
  for (const { kes: ofKes = false, name, type, help, samples } of FAMILIES) {
    let head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    let text = '';
    const add = (line: string): void => {
      text += head + line;
      head = '';
    };
    // Who has no object of KES need not read of them.
    if (!ofKes) add('');
    let count = 0;
    for (const object of objects()) {
      const own = labelsOf(object);
      for (const [labels, value] of own.kes === ofKes ? samples(object) : [])
        add(`${name}{${own.text}${labels}} ${value}\n`);
      count += 1;
      if (count % CHUNK !== 0) continue;
      yield text;
      text = '';
      await nextTurn();
    }
    yield text;
  }
}

/** Whether the series are served, at each scrape anew. It is said once when they are left out by themselves. */
export class ObjectMetrics {
  readonly #mode: ObjectMetricsMode;
  readonly #log: Log;
  #told = false;

  constructor(mode: ObjectMetricsMode, log: Log) {
    this.#mode = mode;
    this.#log = log;
  }

  /** @param size number of objects @returns the text in pieces, or undefined if it is not wanted */
  text(size: number, objects: () => Iterable<Tracked>): AsyncIterable<string> | undefined {
    if (this.#mode === 'off') return undefined;
    if (this.#mode === 'auto' && size > AUTO_LIMIT) {
      if (!this.#told) {
        this.#log.info(
          { externalSecrets: size, limit: AUTO_LIMIT },
          'metrics of single ExternalSecrets are left out; --object-metrics=on serves them all the same',
        );
      }
      this.#told = true;
      return undefined;
    }
    return objectSeries(objects);
  }
}
