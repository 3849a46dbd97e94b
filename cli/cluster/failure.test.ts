import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EsaError } from '../../api/errors.ts';
import { KubeError, responseError } from '../../kube/errors.ts';
import { describeFailure } from './failure.ts';

const answer = (status: number, message: string): KubeError =>
  responseError('list secrets', {
    status,
    text: JSON.stringify({ kind: 'Status', message, details: {} }),
    sensitive: false,
  });

const CASES: readonly (readonly [what: string, error: EsaError, remedy: RegExp])[] = [
  ['credentials', answer(401, 'Unauthorized'), /log in anew/],
  [
    'a right in a namespace',
    answer(
      403,
      'secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" in the namespace "shop"',
    ),
    /right to list secrets in namespace shop for ann; see it with: kubectl auth can-i list secrets -n shop$/,
  ],
  [
    'a right in the cluster',
    answer(
      403,
      'x is forbidden: User "ann" cannot list resource "secretstores" in API group "external-secrets.io" at the cluster scope',
    ),
    /list secretstores\.external-secrets\.io in the whole cluster for ann; .* -A$/,
  ],
  [
    'CRDs',
    responseError('read x', { status: 404, text: '404 page not found', sensitive: false }),
    /esa crds \| kubectl apply/,
  ],
  ['load', answer(429, 'slow down'), /overloaded/],
  ['time', new KubeError('no answer', { status: 0, reason: 'Timeout' }), /--request-timeout/],
  [
    'trust',
    new KubeError('no answer', { status: 0, reason: 'SELF_SIGNED_CERT_IN_CHAIN' }),
    /certificate-authority-data/,
  ],
  ['a network', new KubeError('no answer', { status: 0, reason: 'ECONNREFUSED' }), /--context/],
  ['anything else', answer(500, 'oops'), /RBAC, quota and the health/],
  ['a kubeconfig', new EsaError('CONFIGURATION', 'kubeconfig x cannot be read'), /./],
];

for (const [what, error, remedy] of CASES) {
  test(`what to do for want of ${what}`, () => {
    const failure = describeFailure(error);
    assert.equal(failure.message, error.message);
    assert.match(failure.remedy, remedy);
  });
}
