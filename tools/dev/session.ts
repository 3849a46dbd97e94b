/** What `make dev` and `make demo` have in common: the test bed, .dev/env, and a way to control programs. */
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join, relative } from 'node:path';
import { type Bed, startBed } from '../../test/harness/bed.ts';
import type { Program } from '../../test/harness/product.ts';
import { runDirectory } from '../../test/harness/run-directory.ts';
import { openBaoBinary, ROOT } from '../setup/paths.mjs';
import { claimDevDirectory } from './directory.ts';
import { DEV_AWS, writeExamples } from './examples.ts';

export interface DevSession {
  readonly bed: Bed;
  /** Path of the file of shell exports, relative to the current folder. */
  readonly envFile: string;
  /** Path of the folder of examples that are led to what runs here, relative to the current folder. */
  readonly examples: string;
  stop(): Promise<void>;
}

/** For a POSIX shell; what needs no quotes gets none, for people read the file, too. */
const quote = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** Variables of .dev/env. Pids are those of now: the file is written anew when a program was restarted. */
function environmentOf(
  { cp, openBao, aws, product }: Bed,
  socket: string,
): Record<string, string | undefined> {
  const control = (program: string, action: string): string =>
    [process.execPath, join(ROOT, 'tools/dev/control.mjs'), socket, program, action].map(quote).join(' ');
  return {
    KUBECONFIG: cp.kubeconfig,
    VAULT_ADDR: openBao.address,
    VAULT_TOKEN: openBao.token,
    VAULT_CACERT: openBao.caFile,
    AWS_ENDPOINT_URL: aws?.endpoint,
    AWS_ACCESS_KEY_ID: DEV_AWS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: DEV_AWS.secretAccessKey,
    AWS_REGION: DEV_AWS.region,
    WEBHOOK_PID: String(product.webhook.pid),
    WEBHOOK_LOG: product.webhook.log,
    WEBHOOK_METRICS_URL: product.webhook.metricsUrl,
    WEBHOOK_STOP_CMD: control('webhook', 'stop'),
    WEBHOOK_START_CMD: control('webhook', 'start'),
    POLLER_PID: String(product.poller.pid),
    POLLER_LOG: product.poller.log,
    POLLER_STOP_CMD: control('poller', 'stop'),
    POLLER_START_CMD: control('poller', 'start'),
    // The poller's: it has the metrics that ESO's users know.
    METRICS_URL: product.poller.metricsUrl,
  };
}

function writeEnvironment(file: string, bed: Bed, socket: string): void {
  const lines = Object.entries(environmentOf(bed, socket))
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `export ${name}=${quote(value)}`);
  // A kubectl and a bao of their own come first, if people have them.
  const tools = [dirname(bed.cp.kubectlBinary), dirname(openBaoBinary())];
  lines.push(`export PATH="$PATH":${quote(tools.join(':'))}`);
  writeFileSync(`${file}.new`, `${lines.join('\n')}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Serves `POST /webhook/stop` and the like on a socket that only this user can reach. */
function serveControl(
  socket: string,
  programs: Readonly<Record<string, Program>>,
  changed: () => void,
): () => void {
  const act = async (program: Program, action: string | undefined): Promise<void> => {
    if (action === 'stop') await program.stop();
    else if (!program.isRunning()) await program.start();
    changed();
  };
  const server = createServer((request, response) => {
    const [, name = '', action] = (request.url ?? '').split('/');
    const program = programs[name];
    if (program === undefined || (action !== 'stop' && action !== 'start')) {
      response.writeHead(404).end(`there is no ${request.url}\n`);
      return;
    }
    act(program, action).then(
      () => response.end(),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  server.listen(socket);
  return () => server.close();
}

/** Starts everything and writes the file of exports as the last act. */
export async function startDevSession(): Promise<DevSession> {
  const directory = claimDevDirectory(join(ROOT, '.dev'));
  const bed = await startBed({ aws: {} });
  const { webhook, poller } = bed.product;
  // Socket paths are limited to about 100 bytes; a checkout may lie deeper than that.
  const socket = join(runDirectory(), 'control');
  const envFile = join(directory, 'env');
  const closeControl = serveControl(socket, { webhook, poller }, () =>
    writeEnvironment(envFile, bed, socket),
  );
  const examples = join(directory, 'examples');
  writeExamples(bed.openBao, examples);
  await bed.aws?.put(DEV_AWS.region, 'demo/payment', JSON.stringify({ user: 'shop', token: 'first-token' }));
  writeEnvironment(envFile, bed, socket);
  return {
    bed,
    envFile: relative('.', envFile),
    examples: relative('.', examples),
    stop: async () => {
      closeControl();
      await bed.stop();
    },
  };
}
