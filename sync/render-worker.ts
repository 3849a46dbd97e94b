/** The thread that renders templates which may take long: one job after the other, an answer for each. */
import { parentPort } from 'node:worker_threads';
import { systemClock } from '../api/clock.ts';
import { toEsaError } from '../api/errors.ts';
import { type RenderJob, renderSources, THREAD_LIMITS } from './render-sources.ts';
import type { RenderAnswer } from './render-threads.ts';

const never = new AbortController().signal;

const answer = (job: RenderJob): Promise<RenderAnswer> =>
  renderSources(job, systemClock, never, THREAD_LIMITS).then(
    (result) => ({ result }),
    (thrown: unknown) => {
      const { code, message } = toEsaError(thrown);
      return { code, message };
    },
  );

parentPort?.on('message', (job: RenderJob) => {
  void answer(job).then((done) => parentPort?.postMessage(done));
});
