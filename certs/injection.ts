/**
 * What is ours in a webhook configuration or a CRD: the CA bundle and the path of the hook. Pure: looks at
 * an object and says what to patch; everything else in it belongs to whoever applied it.
 */
import type { KubeObject } from '../kube/objects.ts';
import type { HookName, HookPaths } from './authority.ts';
import { isTrusted, splitBundle } from './x509.ts';

/** cert-manager's cainjector keeps the caBundle of an object that carries one of these annotations. */
export const CA_INJECTOR = 'cert-manager.io/inject-';

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
  'validate-limits.stores.external-secrets.io': 'validate',
  'validate.clusterexternalsecret.external-secrets.io': 'validate',
  'validate.clustersecretpolicy.external-secrets-admission.io': 'validate',
  'validate.externalsecret.kubernetes-client.io': 'validate',
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

/** What every call site is to hold. */
export interface Wanted {
  /** PEM of all CAs that are to be trusted; undefined: caBundle is not ours to write. */
  readonly bundle: string | undefined;
  readonly paths: HookPaths;
}

/** True if cert-manager was asked to write the object's caBundle: then we do not. */
export const isInjectedByOthers = ({ metadata }: TargetObject): boolean =>
  Object.keys(metadata.annotations ?? {}).some((key) => key.startsWith(CA_INJECTOR));

/** The JSON patch that makes the object call us; empty if it does. */
export function injectionPatch(object: TargetObject, { bundle, paths }: Wanted): PatchOperation[] {
  const caBundle =
    bundle === undefined || isInjectedByOthers(object)
      ? undefined
      : Buffer.from(bundle, 'utf8').toString('base64');
  return callSites(object).flatMap(({ pointer, clientConfig, hook, guard }): PatchOperation[] => {
    const operations: PatchOperation[] = [];
    if (caBundle !== undefined && clientConfig.caBundle !== caBundle) {
      operations.push({ op: 'add', path: `${pointer}/caBundle`, value: caBundle });
    }
    if (clientConfig.service?.path !== paths[hook]) {
      operations.push({ op: 'add', path: `${pointer}/service/path`, value: paths[hook] });
    }
    return operations.length === 0 ? [] : [guard, ...operations];
  });
}

/** How calls from an object fare. */
export interface Reach {
  /** All of them come to the right path and trust the certificate served, whatever else they trust. */
  readonly served: boolean;
  /**
   * None trusts the certificate, and each holds CAs of somebody: what is served is out of date. (Where there is
   * no CA at all nothing is known: the API server goes by those of its system.)
   */
  readonly distrusted: boolean;
}

/** `chain` is what is served, PEM. */
export function reachOf(object: TargetObject, chain: string, paths: HookPaths): Reach {
  const sites = callSites(object).map(({ clientConfig, hook }) => {
    const bundle = Buffer.from(clientConfig.caBundle ?? '', 'base64').toString('utf8');
    const trusted = isTrusted(chain, bundle);
    return {
      served: trusted && clientConfig.service?.path === paths[hook],
      distrusted: !trusted && splitBundle(bundle).length > 0,
    };
  });
  return {
    served: sites.every(({ served }) => served),
    distrusted: sites.length > 0 && sites.every(({ distrusted }) => distrusted),
  };
}
