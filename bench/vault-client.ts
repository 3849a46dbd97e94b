/**
 * What does a read of Vault cost? Our client, from the key to the parsed value, against node-vault with its own
 * transport, both on one OpenBao over TLS, turn by turn in the same process: reads a second of CPU of this process.
 * Once as node-vault is used by its README, and once with the connection kept, which has to be asked for.
 *
 * One JSON line for each of them and each number of reads in flight. `node bench/vault-client.ts --reads 200` for a
 * short one.
 */
import { parseArgs } from 'node:util';
import nodeVault from 'node-vault';
import { closeOutbound } from '../providers/http.ts';
import { startVaultBed } from '../test/conformance/vault-bed.ts';
import { quantile, report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    reads: { type: 'string', default: '3000' },
    rounds: { type: 'string', default: '5' },
  },
});
const READS = Number(flags.reads);
const ROUNDS = Number(flags.rounds);
const IN_FLIGHT = [1, 32];
/** Five keys of 40 characters, as in the load of the articles. */
const SECRET = Object.fromEntries(
  Array.from({ length: 5 }, (_, i) => [`key-${i}`, `value-${i}`.padEnd(40, 'x')]),
);
const KEY = 'key-3';

type Read = () => Promise<string>;

/** Reads a second of CPU. */
async function measure(read: Read, inFlight: number): Promise<number> {
  const before = process.cpuUsage();
  let left = READS;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const value = await read();
      if (value !== SECRET[KEY]) throw new Error(`wrong value: ${value}`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(before);
  return READS / ((user + system) / 1e6);
}

const bed = await startVaultBed({ tls: true });
await bed.bao.write('app', SECRET);
const { ca = '', address: endpoint, token } = bed.bao;
const connection = await bed.connect();
const ours: Read = async () =>
  (await connection.read({ key: 'app' }, AbortSignal.timeout(10_000))).get(KEY).revealText();

interface Answer {
  readonly data: { readonly data: Readonly<Record<string, string>> };
}
const plain = (options: object): Read => {
  const client = nodeVault({ endpoint, token, requestOptions: { ca, ...options } });
  return async () => ((await client.read('secret/data/app')) as Answer).data.data[KEY] ?? '';
};
const baselines: readonly (readonly [string, Read])[] = [
  ['node-vault', plain({})],
  ['node-vault with kept connections', plain({ agentOptions: { keepAlive: true } })],
];

try {
  for (const inFlight of IN_FLIGHT) {
    for (const [name, baseline] of baselines) {
      const samples: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
      for (let round = 0; round <= ROUNDS; round++) {
        const [one, other] = [await measure(ours, inFlight), await measure(baseline, inFlight)];
        // The first round warms both up.
        if (round === 0) continue;
        samples.ours.push(one);
        samples.theirs.push(other);
      }
      report({
        bench: 'vault-client',
        metric: `reads a CPU second, ${inFlight} in flight, against ${name}`,
        value: quantile(samples.ours, 0.5),
        unit: '1/s',
        baseline: quantile(samples.theirs, 0.5),
        n: READS * ROUNDS,
      });
    }
  }
} finally {
  await closeOutbound();
  await bed.bao.stop();
}
