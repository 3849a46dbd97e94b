/** Loaded before a program (see world.ts): moves its wall clock and resolves some names, as a file says. */
import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import type { WorldState } from './world.ts';

let state: WorldState = {};
const read = (): void => {
  state = JSON.parse(readFileSync(process.env['ESA_TEST_WORLD'] ?? '', 'utf8')) as WorldState;
};
read();
// Signals come to the main thread only; the others take the time from it.
if (isMainThread) process.on('SIGUSR2', read);

const RealDate = Date;
class MovedDate extends RealDate {
  constructor(...args: [] | [number | string | Date]) {
    const [value] = args;
    super(value ?? MovedDate.now());
  }

  static override now(): number {
    return RealDate.now() + (state.clockMs ?? 0);
  }
}
/** With several arguments (year, month, ...) nothing is asked of the clock. */
globalThis.Date = new Proxy(MovedDate, {
  construct: (moved, args: [], target) =>
    Reflect.construct(args.length > 1 ? RealDate : moved, args, target) as object,
}) as unknown as DateConstructor;

const system = dns.lookup;
type Callback = (error: NodeJS.ErrnoException | null, ...rest: unknown[]) => void;
const lookup = (name: string, options: dns.LookupOptions, callback: Callback): void => {
  const answer = state.names?.[name];
  if (answer === undefined) {
    Reflect.apply(system, dns, [name, options, callback]);
    return;
  }
  const found = { address: answer, family: 4 };
  const error = Object.assign(new Error(`getaddrinfo ${answer} ${name}`), { code: answer, hostname: name });
  const isError = answer.startsWith('E');
  process.nextTick(() => {
    if (isError) callback(error, options.all === true ? [] : undefined);
    else if (options.all === true) callback(null, [found]);
    else callback(null, found.address, found.family);
  });
};
Object.assign(dns, { lookup: Object.assign(lookup, { __promisify__: system.__promisify__ }) });
syncBuiltinESMExports();
