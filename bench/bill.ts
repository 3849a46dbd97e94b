/**
 * What 573 ExternalSecrets with five keys each cost at AWS Secrets Manager in a month, by the calls that a stand-in for
 * AWS counts while nothing changes: ten minutes of compressed time, which means intervals shorter by the same factor.
 * Beside it, in the same run and at the same stand-in, one sweep of the calls that External Secrets Operator 2.9 and
 * kubernetes-external-secrets make for the same objects:
 * ESO logs in and reads each secret once a refresh of each object; KES reads the secret of each of its entries.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { ANNOTATION_BATCH_READS } from '../api/external-secrets/names.ts';
import { type Aws, startAws } from '../test/harness/aws.ts';
import { type ControlPlane, startControlPlane } from '../test/harness/control-plane.ts';
import { startProduct } from '../test/harness/product.ts';
import { allReady, createAll, inParallel, KEYS, makeNamespaces, must, STORE, type Wanted } from './fleet.ts';
import { report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    objects: { type: 'string', default: '573' },
    /** Of compressed time. */
    minutes: { type: 'string', default: '10' },
    /** Seconds between two refreshes in real life. */
    interval: { type: 'string', default: '10' },
    /** How much faster it goes here; no object is refreshed more than once a second. */
    factor: { type: 'string', default: '10' },
  },
});
const OBJECTS = Number(flags.objects);
const MINUTES = Number(flags.minutes);
const INTERVAL_S = Number(flags.interval);
const FACTOR = Number(flags.factor);
if (INTERVAL_S / FACTOR < 1) throw new Error('interval divided by factor is at least one second');

const MONTH_S = 30 * 24 * 3600;
const SWEEPS_A_MONTH = MONTH_S / INTERVAL_S;
/**
 * US dollars a call of Secrets Manager: 0.05 for 10,000 (https://aws.amazon.com/secrets-manager/pricing/, read in
 * November 2026). STS is free. What each secret costs by itself (0.40 a month) is the same for all, and not counted.
 */
const DOLLARS_A_CALL = 0.05 / 10_000;

const REGION = 'us-west-2';
const ROLE = 'arn:aws:iam::000000000000:role/bench';
const ACCOUNT = { name: 'bench', namespace: 'default' };
const SHARED = 'bench/shared';
const STORE_PATH = `/apis/external-secrets.io/v1/clustersecretstores/${STORE}`;
const MERGE = { 'content-type': 'application/merge-patch+json' };
const batches = (text: string): object => ({ metadata: { annotations: { [ANNOTATION_BATCH_READS]: text } } });
const keyOf = (index: number): string => `bench/${index}`;

/** Calls by their action. */
type Calls = Readonly<Record<string, number>>;

function countedSince(aws: Aws, from: number, secret?: string): Calls {
  const counts: Record<string, number> = {};
  for (const { action, parameters } of aws.proxy.calls.slice(from)) {
    if (secret !== undefined && parameters['SecretId'] !== secret) continue;
    counts[action] = (counts[action] ?? 0) + 1;
  }
  return counts;
}

const isPaid = (action: string): boolean => !action.startsWith('AssumeRole');
const paidIn = (calls: Calls): number =>
  Object.entries(calls).reduce((sum, [action, count]) => sum + (isPaid(action) ? count : 0), 0);
const loginsIn = (calls: Calls): number =>
  Object.entries(calls).reduce((sum, [action, count]) => sum + (isPaid(action) ? 0 : count), 0);

const makeAwsStore = (cp: ControlPlane): Promise<unknown> =>
  must(cp, 'POST', '/apis/external-secrets.io/v1/clustersecretstores', {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ClusterSecretStore',
    metadata: { name: STORE },
    spec: {
      provider: {
        aws: {
          service: 'SecretsManager',
          region: REGION,
          auth: { jwt: { serviceAccountRef: ACCOUNT } },
        },
      },
    },
  });

/** One sweep of ESO: an own login and an own cache for each object, so its five keys are one call. */
async function sweepOfEso(aws: Aws): Promise<void> {
  await inParallel([...Array(OBJECTS).keys()], async (index) => {
    const sts = new STSClient({ region: REGION, endpoint: aws.endpoint, credentials: UNUSED });
    const login = { RoleArn: ROLE, RoleSessionName: 'eso', WebIdentityToken: 'e30.e30.x' };
    const { Credentials } = await sts.send(new AssumeRoleWithWebIdentityCommand(login));
    const client = new SecretsManagerClient({
      region: REGION,
      endpoint: aws.endpoint,
      credentials: {
        accessKeyId: Credentials?.AccessKeyId ?? '',
        secretAccessKey: Credentials?.SecretAccessKey ?? '',
        sessionToken: Credentials?.SessionToken ?? '',
      },
    });
    await client.send(new GetSecretValueCommand({ SecretId: keyOf(index) }));
    client.destroy();
    sts.destroy();
  });
}

const UNUSED = { accessKeyId: 'unused', secretAccessKey: 'unused' };

/** One sweep of KES: a call for each entry of `data`, whatever it names. Its SDK keeps the credentials of the Pod. */
async function sweepOfKes(aws: Aws): Promise<void> {
  const client = new SecretsManagerClient({ region: REGION, endpoint: aws.endpoint, credentials: UNUSED });
  await inParallel([...Array(OBJECTS).keys()], async (index) => {
    await Promise.all(KEYS.map(() => client.send(new GetSecretValueCommand({ SecretId: keyOf(index) }))));
  });
  client.destroy();
}

async function callsOf(aws: Aws, work: () => Promise<unknown>, secret?: string): Promise<Calls> {
  const from = aws.proxy.calls.length;
  await work();
  return countedSince(aws, from, secret);
}

const aws = await startAws();
const cp = await startControlPlane({ fsync: true });
// Creates are not what is counted, so the poller is enough.
const product = await startProduct(cp, {
  webhooks: 0,
  configurations: false,
  conversion: false,
  env: { AWS_ENDPOINT_URL: aws.endpoint },
});
try {
  await must(cp, 'POST', '/api/v1/namespaces/default/serviceaccounts', {
    metadata: { name: ACCOUNT.name, annotations: { 'eks.amazonaws.com/role-arn': ROLE } },
  });
  await makeAwsStore(cp);
  const names = Array.from({ length: OBJECTS }, (_, index) => `ns-${index}`);
  await makeNamespaces(cp, names);
  const value = JSON.stringify(Object.fromEntries(KEYS.map((key) => [key, `value of ${key}`])));
  await inParallel(
    [...names.keys()],
    async (index) => {
      await aws.put(REGION, keyOf(index), value);
    },
    8,
  );
  const interval = `${INTERVAL_S / FACTOR}s`;
  const wanted = (name: string, key: (index: number) => string): Wanted[] =>
    names.map((namespace, index) => ({ namespace, name, key: key(index), interval }));
  await createAll(cp, wanted('app', keyOf));
  await allReady(product.poller, OBJECTS);

  /** Calls of the poller in so many minutes of compressed time, of one secret if it is named; paid ones as a month has them. */
  const countMonth = async (secret?: string): Promise<{ paid: number; logins: number }> => {
    // Turns that first syncs and changes bring are over.
    await sleep(3 * (INTERVAL_S / FACTOR) * 1_000);
    const began = performance.now();
    const calls = await callsOf(aws, () => sleep((MINUTES * 60_000) / FACTOR), secret);
    const months = ((performance.now() - began) / 1_000) * (FACTOR / MONTH_S);
    return { paid: paidIn(calls) / months, logins: loginsIn(calls) };
  };
  const own = await countMonth();

  await product.poller.stop();
  const [eso, kes] = [await callsOf(aws, () => sweepOfEso(aws)), await callsOf(aws, () => sweepOfKes(aws))];
  await product.poller.start();
  await allReady(product.poller, OBJECTS);
  const line = (metric: string, value: number, unit: string, baseline: number): void =>
    report({ bench: 'bill', metric, value, unit, baseline, n: OBJECTS });
  for (const [other, sweep] of Object.entries({ ESO: eso, KES: kes })) {
    const paid = paidIn(sweep) * SWEEPS_A_MONTH;
    const logins = loginsIn(sweep) * ((MINUTES * 60) / INTERVAL_S);
    line(`calls a month, beside ${other}`, own.paid, 'calls', paid);
    line(`bill a month, beside ${other}`, own.paid * DOLLARS_A_CALL, 'USD', paid * DOLLARS_A_CALL);
    line(`logins in ${MINUTES} minutes, beside ${other}`, own.logins, 'calls', logins);
  }
  const ofEso = paidIn(eso) * SWEEPS_A_MONTH;

  await must(cp, 'PATCH', STORE_PATH, batches('true'), MERGE);
  const batched = await countMonth();
  // Whether AWS takes a batch for one call or for as many as it has secrets is not said, so it has no price here.
  line('requests a month in batches, beside calls of ESO', batched.paid, 'requests', ofEso);
  await must(cp, 'PATCH', STORE_PATH, batches('false'), MERGE);

  await aws.put(REGION, SHARED, value);
  await createAll(
    cp,
    wanted('same', () => SHARED),
  );
  await allReady(product.poller, 2 * OBJECTS);
  const shared = await countMonth(SHARED);
  line(
    'bill a month where all name one secret, beside ESO',
    shared.paid * DOLLARS_A_CALL,
    'USD',
    ofEso * DOLLARS_A_CALL,
  );
} finally {
  await product.stop();
  await Promise.all([cp.stop(), aws.stop()]);
}
