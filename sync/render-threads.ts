/** Threads for templates that may take long. To start one takes longer than most templates, so they wait for more. */
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { type ErrorCode, EsaError, toEsaError } from '../api/errors.ts';
import { orAbort } from './abort.ts';
import type { RenderJob, RenderResult } from './render-sources.ts';
import { Semaphore } from './semaphore.ts';

/** What a thread answers. */
export type RenderAnswer =
  | { readonly result: RenderResult }
  | { readonly code: ErrorCode; readonly message: string };

/** A fuse: the budgets of the engine end a template long before, but for keys and hashes that take long to make. */
const LIMIT_MS = 10_000;
const HEAP_MB = 64;
/** Each is some tens of megabytes and a processor; whoever comes later waits within his own deadline. */
const AT_ONCE = 2;
/** Then an idle thread gives back its memory. */
const IDLE_MS = 30_000;

/** Of the program a thread gets jobs, and neither variables nor arguments nor flags. */
export const threadOptions = (heapMb: number): WorkerOptions => ({
  resourceLimits: { maxOldGenerationSizeMb: heapMb },
  env: {},
  argv: [],
  execArgv: [],
});

export class RenderThread {
  readonly #heapMb: number;
  readonly #worker: Worker;
  #pending: PromiseWithResolvers<RenderAnswer> | undefined;
  #ended = false;

  /** @param heapMb megabytes of old objects */
  constructor(heapMb: number) {
    this.#heapMb = heapMb;
    this.#worker = new Worker(new URL('./render-worker.ts', import.meta.url), threadOptions(heapMb));
    this.#worker.unref();
    this.#worker.on('message', (answer: RenderAnswer) => this.#pending?.resolve(answer));
    this.#worker.on('error', (error: unknown) => this.#fail(this.#explain(error)));
    this.#worker.on('exit', () =>
      this.#fail(new EsaError('INTERNAL', 'the template thread ended without an answer')),
    );
  }

  /** False once it cannot take another job. */
  get usable(): boolean {
    return !this.#ended;
  }

  /**
   * Renders one job; not to be called before the last one is done.
   * @throws EsaError of the template; TEMPLATE_BUDGET if it takes too long or too much memory, DEADLINE when the signal
   *   aborts: then the thread has ended
   */
  async render(job: RenderJob, signal: AbortSignal, milliseconds: number): Promise<RenderResult> {
    const pending = Promise.withResolvers<RenderAnswer>();
    this.#pending = pending;
    this.#worker.ref();
    // Copies: a small Buffer is a view of memory that it shares with others, and all of that would be sent.
    const values = new Map([...job.values].map(([key, bytes]) => [key, new Uint8Array(bytes)]));
    this.#worker.postMessage({ ...job, values });
    const limit = AbortSignal.timeout(milliseconds);
    let answer: RenderAnswer;
    try {
      answer = await orAbort(pending.promise, AbortSignal.any([signal, limit]), 'rendering the templates');
    } catch (error) {
      this.end();
      if (!limit.aborted || signal.aborted) throw error;
      throw new EsaError(
        'TEMPLATE_BUDGET',
        `the templates took longer than ${milliseconds / 1000} s; make fewer or smaller keys in them`,
      );
    } finally {
      this.#pending = undefined;
      this.#worker.unref();
    }
    if ('result' in answer) return answer.result;
    throw new EsaError(answer.code, answer.message);
  }

  end(): void {
    this.#ended = true;
    void this.#worker.terminate();
  }

  #fail(error: EsaError): void {
    this.#ended = true;
    this.#pending?.reject(error);
  }

  #explain(error: unknown): EsaError {
    return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? new EsaError('TEMPLATE_BUDGET', `the templates need more than ${this.#heapMb} MB of memory`)
      : toEsaError(error);
  }
}

const places = new Semaphore(AT_ONCE);
/** With the timer that ends each; the one that was used last is last. */
const idle: { readonly thread: RenderThread; readonly timer: NodeJS.Timeout }[] = [];

function takeThread(): RenderThread {
  for (let next = idle.pop(); next !== undefined; next = idle.pop()) {
    clearTimeout(next.timer);
    if (next.thread.usable) return next.thread;
  }
  return new RenderThread(HEAP_MB);
}

function keepThread(thread: RenderThread): void {
  if (!thread.usable) return;
  const timer = setTimeout(() => {
    idle.splice(
      idle.findIndex((one) => one.timer === timer),
      1,
    );
    thread.end();
  }, IDLE_MS).unref();
  idle.push({ thread, timer });
}

/** Renders a job in a thread. @throws EsaError as RenderThread.render */
export const renderInThread = (job: RenderJob, signal: AbortSignal): Promise<RenderResult> =>
  orAbort(
    places.run(async () => {
      const thread = takeThread();
      try {
        return await thread.render(job, signal, LIMIT_MS);
      } finally {
        keepThread(thread);
      }
    }, signal),
    signal,
    'rendering the templates',
  );
