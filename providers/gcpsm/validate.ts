/** Rules on a gcpsm block that its schema cannot say, without I/O. */
import { collector, type Problem, type Report } from '../../api/problem.ts';
import type { BlockReference } from '../block-references.ts';
import type { FindRequest, RemoteRef, StoreContext } from '../contract.ts';
import { checkReference } from '../references.ts';
import { type GcpsmConfig, projectOf, resolveGcpAuth } from './config.ts';

type StoreScope = Pick<StoreContext, 'kind' | 'namespace'>;

/** The references that the credentials of the block come from. */
export function referencesOf(config: GcpsmConfig): BlockReference[] {
  const auth = resolveGcpAuth(config);
  switch (auth.method) {
    case 'environment':
      return [];
    case 'key': {
      const path = ['auth', 'secretRef', 'secretAccessKeySecretRef'];
      return auth.key === undefined ? [] : [{ kind: 'Secret', path, reference: auth.key }];
    }
    case 'workloadIdentity': {
      const path = ['auth', 'workloadIdentity', 'serviceAccountRef'];
      return [{ kind: 'ServiceAccount', path, reference: auth.serviceAccountRef }];
    }
    case 'federation': {
      const base = ['auth', 'workloadIdentityFederation'];
      const { serviceAccountRef, aws } = auth;
      if (serviceAccountRef !== undefined)
        return [
          { kind: 'ServiceAccount', path: [...base, 'serviceAccountRef'], reference: serviceAccountRef },
        ];
      const path = [...base, 'awsSecurityCredentials', 'awsCredentialsSecretRef'];
      return aws === undefined ? [] : [{ kind: 'Secret', path, reference: aws.secret }];
    }
  }
}

/** An id, a number, or the id in a domain of a company: `example.com:project`. */
const PROJECT = /^(?:[a-z0-9][a-z0-9.-]{0,80}:)?[a-z0-9][a-z0-9-]{0,62}$/;
/** It becomes a part of the host name. */
const LOCATION = /^[a-z][a-z0-9-]{0,61}[a-z0-9]$/;
const AUDIENCE =
  /^\/\/iam\.googleapis\.com\/projects\/[^/\s]+\/locations\/[^/\s]+\/workloadIdentityPools\/[^/\s]+\/providers\/[^/\s]+$/;
/** It becomes a part of a path. */
export const SERVICE_ACCOUNT = /^[a-z0-9][a-z0-9._-]*@[a-z0-9][a-z0-9.-]*$/;
const AWS_REGION = /^[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}$/;

function checkPlace(config: GcpsmConfig, report: Report): void {
  const project = projectOf(config);
  if (project === '') report('gcp-project', ['projectID'], 'name the project of the secrets');
  for (const [path, text] of [
    [['projectID'], config.projectID],
    [['auth', 'workloadIdentity', 'clusterProjectID'], config.auth?.workloadIdentity?.clusterProjectID],
  ] as const) {
    if (text !== undefined && text !== '' && !PROJECT.test(text))
      report('gcp-project-form', path, 'must be the id of a project, such as my-project-1');
  }
  const { location } = config;
  if (location !== undefined && location !== '' && !LOCATION.test(location))
    report('gcp-location', ['location'], 'must be the name of a location, such as europe-west3');
}

const METHODS = ['secretRef', 'workloadIdentity', 'workloadIdentityFederation'] as const;

function checkAuth(config: GcpsmConfig, store: StoreScope, report: Report): void {
  const set = METHODS.filter((method) => config.auth?.[method] !== undefined);
  if (set.length > 1) {
    report('gcp-one-auth', ['auth'], `set one auth method only, found ${set.length} (${set.join(', ')})`);
    return;
  }
  if (set.length === 0 && store.kind === 'SecretStore') {
    // What this program can reach at Google is not for everyone who may write a store into a namespace.
    report(
      'gcp-auth',
      ['auth'],
      `a SecretStore brings its own credentials: set one of ${METHODS.join(', ')}; those of this program are lent to a ClusterSecretStore only`,
    );
  }
  const secretRef = config.auth?.secretRef;
  if (secretRef !== undefined) {
    const path = ['auth', 'secretRef', 'secretAccessKeySecretRef'];
    const { secretAccessKeySecretRef: reference } = secretRef;
    if (reference === undefined) report('gcp-key', path, 'name the Secret with the JSON key');
    else if ((reference.key ?? '') === '')
      report('store-ref-key', [...path, 'key'], 'name the key of the Secret');
  }
  const auth = resolveGcpAuth(config);
  if (auth.method === 'workloadIdentity') {
    const needed = { clusterLocation: auth.location, clusterName: auth.cluster };
    for (const [field, text] of Object.entries(needed)) {
      if (text === '') {
        report(
          'gcp-cluster',
          ['auth', 'workloadIdentity', field],
          'name it: the metadata service of the node, which ESO asks for it, is never asked for a store',
        );
      }
    }
  }
  if (auth.method === 'federation') checkFederation(config, report);
}

function checkFederation(config: GcpsmConfig, report: Report): void {
  const base = ['auth', 'workloadIdentityFederation'];
  const federation = config.auth?.workloadIdentityFederation;
  if (federation === undefined) return;
  for (const field of ['credConfig', 'externalTokenEndpoint'] as const) {
    if (federation[field] !== undefined) {
      report(
        'gcp-cred-config',
        [...base, field],
        `${field} is not supported: it would let a store have this program read files and ask URLs; use serviceAccountRef`,
      );
    }
  }
  const { serviceAccountRef, awsSecurityCredentials: aws, audience = '' } = federation;
  const sources = [federation.credConfig, serviceAccountRef, aws].filter((one) => one !== undefined);
  if (sources.length !== 1) {
    report(
      'gcp-federation-source',
      base,
      `set exactly one of serviceAccountRef and awsSecurityCredentials, found ${sources.length}`,
    );
  }
  if (audience === '') {
    report(
      'gcp-audience',
      [...base, 'audience'],
      'name the provider in the pool: //iam.googleapis.com/projects/...',
    );
  } else if (!AUDIENCE.test(audience)) {
    report(
      'gcp-audience-form',
      [...base, 'audience'],
      'must be //iam.googleapis.com/projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>',
    );
  }
  if (aws !== undefined && !AWS_REGION.test(aws.region)) {
    report(
      'gcp-aws-region',
      [...base, 'awsSecurityCredentials', 'region'],
      'must be the name of an AWS region, such as eu-central-1',
    );
  }
  const { gcpServiceAccountEmail: email = '' } = federation;
  if (email !== '' && !SERVICE_ACCOUNT.test(email)) {
    report(
      'gcp-service-account',
      [...base, 'gcpServiceAccountEmail'],
      'must be the e-mail address of a service account',
    );
  }
}

/** Everything that is wrong with the block; paths are relative to it. */
export function validateGcpBlock(config: GcpsmConfig, store: StoreScope): Problem[] {
  const { report, problems } = collector();
  checkPlace(config, report);
  checkAuth(config, store, report);
  for (const { path, reference } of referencesOf(config)) checkReference(store, reference, path, report);
  return problems;
}

/** The names that Secret Manager takes. */
const SECRET = /^[A-Za-z0-9_-]{1,255}$/;
/** A number, `latest`, or an alias. */
const VERSION = /^(?:[1-9]\d{0,18}|[A-Za-z][A-Za-z0-9_-]{0,62})$/;

/** Why this remoteRef can never work, or undefined. */
export function validateGcpRef(
  _config: GcpsmConfig,
  { key, version, metadata }: RemoteRef,
): string | undefined {
  if (!SECRET.test(key)) {
    return `key ${JSON.stringify(key.slice(0, 100))}: names of secrets have letters, digits, "-" and "_" only; the project stands in the store`;
  }
  return version !== undefined && metadata !== true && !VERSION.test(version)
    ? `version ${JSON.stringify(version.slice(0, 70))}: write a number, latest, or an alias`
    : undefined;
}

/** A sentence if this find can never work, else undefined. */
export function validateGcpFind(
  _config: GcpsmConfig,
  { nameRegexp, tags = {} }: FindRequest,
): string | undefined {
  if (nameRegexp === undefined && Object.keys(tags).length === 0)
    return 'unexpected find operator: provider gcpsm finds secrets by find.name.regexp or find.tags';
  const odd = Object.entries(tags).find(([name, value]) => !LABEL.test(name) || !LABEL_VALUE.test(value));
  return odd === undefined
    ? undefined
    : `find.tags: ${JSON.stringify(odd[0].slice(0, 70))} cannot be a label of Google Cloud with this value`;
}

/** Labels have letters of any script without case, digits, "-" and "_"; they stand in a filter as they are. */
const LABEL = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const LABEL_VALUE = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;
