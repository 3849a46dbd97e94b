/**
 * The metrics of single ExternalSecrets, under the names that ESO gives them. Nothing is kept for them beyond what is
 * kept of each object anyway; the text is made when somebody scrapes, piece by piece, so that it holds up nothing else.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../runtime/log.ts';
import type { Tracked } from './tracked.ts';

export type ObjectMetricsMode = 'auto' | 'on' | 'off';

/** Five series an object: beyond this many objects the server that scrapes has to be made for it. */
const AUTO_LIMIT = 20_000;
/** Objects whose series are made in one turn of the event loop. */
const CHUNK = 500;

interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** Further labels and the value of each series. */
  readonly samples: (object: Tracked) => readonly (readonly [labels: string, value: number])[];
}

const FAMILIES: readonly Family[] = [
  {
    name: 'externalsecret_sync_calls_total',
    type: 'counter',
    help: 'Attempts to sync.',
    samples: ({ attempts }) => (attempts > 0 ? [['', attempts]] : []),
  },
  {
    name: 'externalsecret_sync_calls_error',
    type: 'counter',
    help: 'Failed attempts to sync.',
    samples: ({ errors }) => (errors > 0 ? [['', errors]] : []),
  },
  {
    name: 'externalsecret_status_condition',
    type: 'gauge',
    help: 'Current condition of an ExternalSecret.',
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
    samples: ({ attempts, microseconds }) => (attempts > 0 ? [['', microseconds * 1000]] : []),
  },
];

/** As the text format of Prometheus has it. */
const escaped = (value: string): string =>
  value.replace(/[\\\n"]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));

function labelsOf({ key }: Tracked): string {
  const slash = key.indexOf('/');
  return `name="${escaped(key.slice(slash + 1))}",namespace="${escaped(key.slice(0, slash))}"`;
}

/** The text of all series, in pieces; between two of them others have their turn. */
export async function* objectSeries(objects: () => Iterable<Tracked>): AsyncGenerator<string> {
  for (const { name, type, help, samples } of FAMILIES) {
    let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    let count = 0;
    for (const object of objects()) {
      for (const [labels, value] of samples(object))
        text += `${name}{${labelsOf(object)}${labels}} ${value}\n`;
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
