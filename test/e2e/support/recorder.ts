/** A bed without poller whose every trace is kept, to look for values in it at the end. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GROUP } from '../../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../../harness/bed.ts';
import type { KubectlOptions } from '../../harness/cluster.ts';
import type { CommandResult } from '../../harness/command.ts';
import type { ProductOptions } from '../../harness/product.ts';
import { temporaryDirectory } from '../../harness/run-directory.ts';
import { Cluster, type Manifest } from './cluster.ts';

/** The value of `password` in `app` at OpenBao: it may stand in target Secrets and nowhere else. */
export const SENTINEL = 'sentinel-5f0c2a-value';
const MAX_WARNING = 120;

export class Recorder {
  readonly bed: Bed;
  readonly cluster: Cluster;
  readonly #auditLog: string;
  readonly #printed: string[] = [];

  constructor(bed: Bed, auditLog: string) {
    this.bed = bed;
    this.cluster = new Cluster(bed.cp);
    this.#auditLog = auditLog;
  }

  async kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<CommandResult> {
    const result = await this.bed.cp.kubectl(args, options);
    this.#printed.push(result.stdout, result.stderr);
    return result;
  }

  apply(manifest: Manifest, ...flags: string[]): Promise<CommandResult> {
    return this.kubectl(['apply', '-f', '-', ...flags], { stdin: JSON.stringify(manifest) });
  }

  /** POST that has to succeed. @returns its warnings, each of them short */
  async create(manifest: Manifest): Promise<string[]> {
    const { status, body, warnings } = await this.cluster.attempt(manifest);
    this.#printed.push(JSON.stringify(body), ...warnings);
    assert.equal(status, 201, body.message ?? 'no message');
    for (const warning of warnings) assert.ok(warning.length <= MAX_WARNING, warning);
    return warnings;
  }

  /** The password of a Secret; undefined if there is no Secret. */
  async password(where: string, name: string): Promise<string | undefined> {
    return (await this.cluster.values(where, name))?.['password'];
  }

  /** How often a secret of the KV engine was read. */
  reads(key = 'app'): number {
    return this.bed.openBao.auditCounts()[`read secret/data/${key}`] ?? 0;
  }

  /** The annotations of the audit event of the create of an ExternalSecret. */
  auditAnnotations(where: string, name: string): Readonly<Record<string, string>> {
    type Event = {
      readonly verb: string;
      readonly objectRef?: {
        readonly resource?: string;
        readonly namespace?: string;
        readonly name?: string;
      };
      readonly annotations?: Readonly<Record<string, string>>;
    };
    const lines = readFileSync(this.#auditLog, 'utf8').split('\n').slice(0, -1);
    const events = lines
      .filter((line) => line.includes(`"${name}"`))
      .map((line) => JSON.parse(line) as Event)
      .filter(({ verb, objectRef: at }) => {
        return (
          verb === 'create' &&
          at?.resource === 'externalsecrets' &&
          at.namespace === where &&
          at.name === name
        );
      });
    return events.at(-1)?.annotations ?? {};
  }

  /** Looks for the sentinel and the tokens in logs, answers, warnings, events, objects and the audit log. */
  async assertNothingLeaked(): Promise<void> {
    const { cp, product } = this.bed;
    const get = async (path: string): Promise<string> => JSON.stringify((await cp.request('GET', path)).body);
    const places: Record<string, string> = {
      'what was printed': this.#printed.join('\n'),
      "the API server's audit log": readFileSync(this.#auditLog, 'utf8'),
      events: (await get('/api/v1/events')) + (await get('/apis/events.k8s.io/v1/events')),
      ExternalSecrets: await get(`/apis/${GROUP}/v1/externalsecrets`),
      stores:
        (await get(`/apis/${GROUP}/v1/secretstores`)) + (await get(`/apis/${GROUP}/v1/clustersecretstores`)),
    };
    for (const [index, program] of product.webhooks.entries()) {
      places[`log of webhook ${index}`] = readFileSync(program.log, 'utf8');
    }
    const secrets = [
      SENTINEL,
      Buffer.from(SENTINEL).toString('base64'),
      Buffer.from(SENTINEL).toString('hex'),
    ];
    for (const [place, text] of Object.entries(places)) {
      assert.ok(text.length > 100, `${place} is empty`);
      for (const secret of secrets) assert.ok(!text.includes(secret), `a value stands in ${place}`);
    }
  }
}

/** @param product see ProductOptions; there is no poller */
export async function startRecorder(
  product: Pick<ProductOptions, 'balancer' | 'webhooks' | 'webhookArgs'> = {},
): Promise<Recorder> {
  const directory = temporaryDirectory('audit');
  const auditLog = join(directory, 'audit.log');
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    // With bodies, and with what hooks answer: a patch would stand there.
    rules: [{ level: 'RequestResponse', resources: [{ group: GROUP }] }, { level: 'Metadata' }],
  };
  writeFileSync(join(directory, 'policy.json'), JSON.stringify(policy));
  const bed = await startBed({
    controlPlane: {
      apiServerArgs: [
        `--audit-policy-file=${join(directory, 'policy.json')}`,
        `--audit-log-path=${auditLog}`,
        '--audit-log-mode=blocking-strict',
      ],
    },
    openBao: { audit: true },
    product: { poller: false, ...product },
  });
  await bed.openBao.write('app', { password: SENTINEL });
  return new Recorder(bed, auditLog);
}
