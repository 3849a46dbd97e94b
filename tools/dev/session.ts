/** What `make dev` and `make demo` have in common: the product on its ground, .dev/env, control of programs. */
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join, relative } from 'node:path';
import type { Aws } from '../../test/harness/aws.ts';
import type { Cluster } from '../../test/harness/cluster.ts';
import type { OpenBao } from '../../test/harness/openbao.ts';
import type { Product } from '../../test/harness/product.ts';
import { runDirectory } from '../../test/harness/run-directory.ts';
import { openBaoBinary, ROOT } from '../setup/paths.mjs';
import { startBackends } from './backends.ts';
import { claimDevDirectory } from './directory.ts';
import { DEV_AWS, type ExamplePlace, writeExamples } from './examples.ts';
import { type Ground, openOwnGround, startLocalGround } from './ground.ts';
import type { OwnCluster } from './options.ts';
import { announceEnd, DevProgram } from './programs.ts';

export interface DevSession {
  readonly cluster: Cluster;
  readonly product: Product;
  readonly openBao: OpenBao | undefined;
  readonly aws: Aws | undefined;
  readonly place: ExamplePlace;
  /** False where nothing deletes what lost its owner. */
  readonly collectsGarbage: boolean;
  readonly programs: { readonly webhook: DevProgram; readonly poller: DevProgram };
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
  { cluster, openBao, aws, product }: Pick<DevSession, 'cluster' | 'openBao' | 'aws' | 'product'>,
  socket: string,
): Record<string, string | undefined> {
  const control = (program: string, action: string): string =>
    [process.execPath, join(ROOT, 'tools/dev/control.mjs'), socket, program, action].map(quote).join(' ');
  return {
    KUBECONFIG: cluster.kubeconfig,
    VAULT_ADDR: openBao?.address,
    VAULT_TOKEN: openBao?.token,
    VAULT_CACERT: openBao?.caFile,
    AWS_ENDPOINT_URL: aws?.endpoint,
    ...(aws === undefined
      ? {}
      : {
          AWS_ACCESS_KEY_ID: DEV_AWS.accessKeyId,
          AWS_SECRET_ACCESS_KEY: DEV_AWS.secretAccessKey,
          AWS_REGION: DEV_AWS.region,
        }),
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

function writeEnvironment(
  file: string,
  parts: Pick<DevSession, 'cluster' | 'openBao' | 'aws' | 'product'>,
  socket: string,
): void {
  const lines = Object.entries(environmentOf(parts, socket))
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `export ${name}=${quote(value)}`);
  // A kubectl and a bao of their own come first, if people have them.
  const tools = [parts.cluster.kubectlBinary, ...(parts.openBao === undefined ? [] : [openBaoBinary()])]
    .filter((path) => path.includes('/'))
    .map((path) => dirname(path));
  if (tools.length > 0) lines.push(`export PATH="$PATH":${quote(tools.join(':'))}`);
  writeFileSync(`${file}.new`, `${lines.join('\n')}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Serves `POST /webhook/stop` and the like on a socket that only this user can reach. */
function serveControl(socket: string, programs: Readonly<Record<string, DevProgram>>): () => void {
  const server = createServer((request, response) => {
    const [, name = '', action] = (request.url ?? '').split('/');
    const program = programs[name];
    if (program === undefined || (action !== 'stop' && action !== 'start')) {
      response.writeHead(404).end(`there is no ${request.url}\n`);
      return;
    }
    program[action]().then(
      () => response.end(),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  server.listen(socket);
  return () => server.close();
}

/**
 * Starts everything and writes the file of exports as the last act.
 * @param ownCluster a cluster of the user's, after they agreed; absent: a control plane of its own
 * @throws UsageError if the user has to mend something, or said no; then nothing of it is left
 */
export async function startDevSession(ownCluster?: OwnCluster): Promise<DevSession> {
  // Nothing is started before the user agreed to what is done to their cluster.
  const own = ownCluster === undefined ? undefined : await openOwnGround(ownCluster);
  try {
    return await startOn(own);
  } catch (error) {
    await own?.stop();
    throw error;
  }
}

async function startOn(own: Ground | undefined): Promise<DevSession> {
  let stopping = false;
  const directory = claimDevDirectory(join(ROOT, '.dev'));
  const [ground, backends] = await Promise.all([own ?? startLocalGround(), startBackends()]);
  const { cluster, namespace, labels, collectsGarbage } = ground;
  const { openBao, aws } = backends;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.prependListener(signal, () => {
      if (!stopping) console.log('stopping ...');
      stopping = true;
    });
  }

  const product = await ground.startProduct({
    env: aws === undefined ? {} : { AWS_ENDPOINT_URL: aws.endpoint },
  });
  const parts = { cluster, openBao, aws, product };
  // Socket paths are limited to about 100 bytes; a checkout may lie deeper than that.
  const socket = join(runDirectory(), 'control');
  const envFile = join(directory, 'env');
  const changed = (): void => writeEnvironment(envFile, parts, socket);
  const isStopping = (): boolean => stopping;
  const programOf = (name: 'webhook' | 'poller'): DevProgram =>
    new DevProgram(product[name], join(ROOT, name, 'main.mjs'), changed, isStopping);
  const programs = { webhook: programOf('webhook'), poller: programOf('poller') };
  for (const running of [...ground.processes(), openBao?.process, aws?.process]) {
    if (running !== undefined) announceEnd(running, isStopping);
  }
  const closeControl = serveControl(socket, programs);
  const place = { namespace, labels, openBao };
  const examples = join(directory, 'examples');
  writeExamples(place, examples);
  await aws?.put(DEV_AWS.region, 'demo/payment', JSON.stringify({ user: 'shop', token: 'first-token' }));
  changed();
  return {
    ...parts,
    place,
    collectsGarbage,
    programs,
    envFile: relative('.', envFile),
    examples: relative('.', examples),
    stop: async () => {
      stopping = true;
      closeControl();
      // What is taken out of a user's cluster goes while the programs still answer its API server.
      if (own !== undefined) await own.stop();
      await product.stop();
      await Promise.all([openBao?.stop(), aws?.stop()]);
      if (own === undefined) await ground.stop();
    },
  };
}
