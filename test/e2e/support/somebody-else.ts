/**
 * What other people run in a cluster beside us, as one installation: a validating webhook, a mutating webhook that
 * is called after ours, a ValidatingAdmissionPolicy, and a CEL rule in the CRD. Each is about objects that ask for it.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { GROUP } from '../../../api/external-secrets/names.ts';
import { selfSigned } from '../../../providers/testing/self-signed.ts';
import type { ControlPlane } from '../../harness/control-plane.ts';
import { eventually } from '../../harness/eventually.ts';
import type { Manifest } from './cluster.ts';
import { externalSecret, passwordOf } from './vault.ts';

const ADMISSION = 'admissionregistration.k8s.io/v1';
const CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/externalsecrets.external-secrets.io';
const LABEL = 'somebody-else';
/** What the mutating webhook makes of the first entry of `spec.data`. */
export const CHANGED_KEY = 'changed';

const labelled = (value: string): object => ({ labels: { [LABEL]: value } });
/** Metadata (a name for the last) of objects that each of them is about, and its words. */
export const REFUSED_BY = {
  webhook: { metadata: labelled('webhook'), prefix: '', says: /somebody else says no/ },
  policy: { metadata: labelled('policy'), prefix: '', says: /the policy of somebody else/ },
  cel: { metadata: {}, prefix: 'cel-', says: /the rule of somebody else/ },
} as const;
export const CHANGED = labelled('changed');

export interface SomebodyElse {
  stop(): void;
}

const answer = (path: string | undefined, uid: string): object =>
  path === '/validate'
    ? { uid, allowed: false, status: { message: 'somebody else says no' } }
    : {
        uid,
        allowed: true,
        patchType: 'JSONPatch',
        patch: Buffer.from(
          JSON.stringify([{ op: 'replace', path: '/spec/data/0/remoteRef/key', value: CHANGED_KEY }]),
        ).toString('base64'),
      };

function manifests(url: string, cert: string): readonly object[] {
  const resourceRule = {
    apiGroups: [GROUP],
    apiVersions: ['*'],
    operations: ['CREATE'],
    resources: ['externalsecrets'],
  };
  const configuration = (kind: string, name: string, path: string, value: string): object => ({
    apiVersion: ADMISSION,
    kind,
    metadata: { name },
    webhooks: [
      {
        name: 'somebody-else.example.com',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: { url: `${url}${path}`, caBundle: Buffer.from(cert).toString('base64') },
        rules: [resourceRule],
        objectSelector: { matchLabels: { [LABEL]: value } },
      },
    ],
  });
  const metadata = { name: 'somebody-else' };
  return [
    configuration('ValidatingWebhookConfiguration', 'somebody-else', '/validate', 'webhook'),
    // Called after ours, by its name.
    configuration('MutatingWebhookConfiguration', 'zzz-somebody-else', '/mutate', 'changed'),
    {
      apiVersion: ADMISSION,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        matchConstraints: { resourceRules: [resourceRule] },
        validations: [
          {
            expression: `object.metadata.?labels[?"${LABEL}"].orValue("") != "policy"`,
            message: 'the policy of somebody else',
          },
        ],
      },
    },
    {
      apiVersion: ADMISSION,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: metadata.name, validationActions: ['Deny'] },
    },
  ];
}

/** An administrator's own rule, in every version of the CRD. */
async function addRule(cp: ControlPlane): Promise<void> {
  type Crd = {
    spec: { versions: { schema: { openAPIV3Schema: { 'x-kubernetes-validations'?: object[] } } }[] };
  };
  const { body } = await cp.request<Crd>('GET', CRD);
  const rule = {
    rule: `!self.metadata.name.startsWith('${REFUSED_BY.cel.prefix}')`,
    message: 'the rule of somebody else',
  };
  const patch = body.spec.versions.map(({ schema }, index) => ({
    op: 'add',
    path: `/spec/versions/${index}/schema/openAPIV3Schema/x-kubernetes-validations`,
    value: [...(schema.openAPIV3Schema['x-kubernetes-validations'] ?? []), rule],
  }));
  const headers = { 'content-type': 'application/json-patch+json' };
  const { status } = await cp.request('PATCH', CRD, patch, headers);
  assert.equal(status, 200);
}

/** Resolves when all of them are in force. */
export async function startSomebodyElse(cp: ControlPlane): Promise<SomebodyElse> {
  const { key, cert } = selfSigned('127.0.0.1');
  const server = createServer({ key, cert }, (request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      const { request: review } = JSON.parse(text) as { request: { uid: string } };
      const body = {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: answer(request.url?.split('?')[0], review.uid),
      };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const items = manifests(url, cert);
  const list = { apiVersion: 'v1', kind: 'List', items };
  await Promise.all([cp.kubectlOutput(['apply', '-f', '-'], { stdin: JSON.stringify(list) }), addRule(cp)]);

  const dryRun = async (manifest: Manifest): Promise<string> => {
    const path = `/apis/${GROUP}/v1/namespaces/default/externalsecrets?dryRun=All`;
    return JSON.stringify((await cp.request('POST', path, manifest)).body);
  };
  for (const { metadata, prefix, says } of Object.values(REFUSED_BY)) {
    const probe = externalSecret('default', `${prefix}probe`, {}, metadata);
    await eventually(async () => says.test(await dryRun(probe)), { timeout: 30_000, what: String(says) });
  }
  const probe = externalSecret('default', 'probe', passwordOf('app'), CHANGED);
  await eventually(async () => (await dryRun(probe)).includes(`"key":"${CHANGED_KEY}"`), {
    timeout: 30_000,
    what: 'a change by somebody else',
  });
  return {
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
