/**
 * What is ours in a webhook configuration or a CRD: the CA bundle and the path of the hook. Pure: looks at
 * an object and says what to patch; everything else in it belongs to whoever applied it.
 */
import type { KubeObject } from '../kube/objects.ts';
import type { HookName, HookPaths } from './authority.ts';
import { splitBundle } from './x509.ts';

interface ClientConfig {
  readonly caBundle?: string;
  readonly service?: { readonly path?: string };
}

interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig: ClientConfig }[];
}

interface CustomResourceDefinition extends KubeObject {
  readonly spec?: {
    readonly conversion?: {
      readonly strategy?: string;
      readonly webhook?: { readonly clientConfig?: ClientConfig };
    };
  };
}

export type TargetObject = WebhookConfiguration & CustomResourceDefinition;

export interface PatchOperation {
  readonly op: 'test' | 'add';
  readonly path: string;
  readonly value: unknown;
}

/** Which hook of ours each webhook of a configuration calls, by its name. */
const WEBHOOKS: Readonly<Record<string, HookName>> = {
  'validate.externalsecret.external-secrets.io': 'validate',
  'validate-labels.externalsecret.external-secrets.io': 'validate',
  'validate.secretstore.external-secrets.io': 'validate',
  'validate.clustersecretstore.external-secrets.io': 'validate',
  'validate.clusterexternalsecret.external-secrets.io': 'validate',
  'validate.clustersecretpolicy.external-secrets-admission.io': 'validate',
  'validate.generator.external-secrets.io': 'validate',
  'validate.clustergenerator.external-secrets.io': 'validate',
  'materialize.externalsecret.external-secrets.io': 'mutate',
};

/** One place in an object where a hook is called from, and what guards a patch of it. */
interface CallSite {
  readonly pointer: string;
  readonly clientConfig: ClientConfig;
  readonly hook: HookName;
  readonly guard: PatchOperation;
}

function callSites(object: TargetObject): CallSite[] {
  const sites: CallSite[] = [];
  for (const [index, webhook] of (object.webhooks ?? []).entries()) {
    const hook = Object.hasOwn(WEBHOOKS, webhook.name) ? WEBHOOKS[webhook.name] : undefined;
    if (hook === undefined) continue;
    sites.push({
      pointer: `/webhooks/${index}/clientConfig`,
      clientConfig: webhook.clientConfig,
      hook,
      // The list may have been reordered since it was read.
      guard: { op: 'test', path: `/webhooks/${index}/name`, value: webhook.name },
    });
  }
  const conversion = object.spec?.conversion;
  if (conversion?.strategy === 'Webhook' && conversion.webhook?.clientConfig) {
    sites.push({
      pointer: '/spec/conversion/webhook/clientConfig',
      clientConfig: conversion.webhook.clientConfig,
      hook: 'convert',
      guard: { op: 'test', path: '/spec/conversion/strategy', value: 'Webhook' },
    });
  }
  // A clientConfig with a URL is somebody's own routing; there is no path of ours in it.
  return sites.filter((site) => site.clientConfig.service !== undefined);
}

/** True if the object calls one of our hooks at all. */
export const callsUs = (object: TargetObject): boolean => callSites(object).length > 0;

/** The JSON patch that makes the object call us; empty if it does. `bundle` is PEM. */
export function injectionPatch(object: TargetObject, bundle: string, paths: HookPaths): PatchOperation[] {
  const caBundle = Buffer.from(bundle, 'utf8').toString('base64');
  return callSites(object).flatMap(({ pointer, clientConfig, hook, guard }): PatchOperation[] => {
    const operations: PatchOperation[] = [];
    if (clientConfig.caBundle !== caBundle) {
      operations.push({ op: 'add', path: `${pointer}/caBundle`, value: caBundle });
    }
    if (clientConfig.service?.path !== paths[hook]) {
      operations.push({ op: 'add', path: `${pointer}/service/path`, value: paths[hook] });
    }
    return operations.length === 0 ? [] : [guard, ...operations];
  });
}

/** True if calls from this object reach us and trust leaves of `authority` (PEM), whatever else it trusts. */
export const isServed = (object: TargetObject, authority: string, paths: HookPaths): boolean =>
  callSites(object).every(({ clientConfig, hook }) => {
    const bundle = Buffer.from(clientConfig.caBundle ?? '', 'base64').toString('utf8');
    const trusted = splitBundle(bundle).some((pem) => pem.trim() === authority.trim());
    return trusted && clientConfig.service?.path === paths[hook];
  });
