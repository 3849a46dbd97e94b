/**
 * How the specs of the older versions differ from the hub. Read beside the schemas in v1beta1/ and v1alpha1/;
 * convert.ts and paths.ts follow from this.
 */
import { parseGoDuration } from '../duration.ts';
import { isJsonObject } from '../json.ts';
import {
  type ElementLens,
  hide,
  isEmpty,
  type Lens,
  list,
  object,
  same,
  scalar,
  visiblePath,
} from './lenses.ts';
import type { ServedVersion, StoreKind } from './names.ts';

export type ConvertibleKind = 'ExternalSecret' | StoreKind;
export type OlderVersion = Exclude<ServedVersion, 'v1'>;

/** What v1alpha1 lacks in every reference to a remote secret. */
const REMOTE_REF_HIDDEN = {
  metadataPolicy: undefined,
  decodingStrategy: undefined,
  nullBytePolicy: undefined,
};

const DATA_HIDDEN = { sourceRef: undefined };

const dataElement: ElementLens = {
  down(hub) {
    if (!isJsonObject(hub)) return { value: hub, lost: false };
    const { value, hidden } = hide(hub, DATA_HIDDEN);
    if (!isJsonObject(value['remoteRef'])) return { value, lost: !isEmpty(hidden) };
    const reference = hide(value['remoteRef'], REMOTE_REF_HIDDEN);
    return {
      value: { ...value, remoteRef: reference.value },
      lost: !isEmpty(hidden) || !isEmpty(reference.hidden),
    };
  },
  up: (shown) => shown,
  path(hub) {
    const [name, ...rest] = hub;
    if (name !== 'remoteRef') return visiblePath(hub, DATA_HIDDEN);
    const path = visiblePath(rest, REMOTE_REF_HIDDEN);
    return path && [name, ...path];
  },
};

/** v1alpha1 has the reference itself where v1 has an object with `extract`; it has nothing for the others. */
const dataFromElement: ElementLens = {
  down(hub) {
    if (!isJsonObject(hub)) return { value: hub, lost: false };
    const { extract, ...others } = hub;
    if (!isJsonObject(extract)) return 'hidden';
    const { value, hidden } = hide(extract, REMOTE_REF_HIDDEN);
    return { value, lost: !isEmpty(others) || !isEmpty(hidden) };
  },
  up: (shown) => (isJsonObject(shown) ? { extract: shown } : shown),
  path(hub) {
    const [name, ...rest] = hub;
    if (name === undefined) return hub;
    return name === 'extract' ? visiblePath(rest, REMOTE_REF_HIDDEN) : undefined;
  },
};

const TEMPLATE_ITEM_HIDDEN = { templateAs: 'Values' };
const TEMPLATE_FROM_HIDDEN = { target: 'Data', literal: undefined, valuesDecodingStrategy: undefined };

function withoutTemplateAs(templateRef: unknown): { value: unknown; lost: boolean } {
  if (!isJsonObject(templateRef) || !Array.isArray(templateRef['items']))
    return { value: templateRef, lost: false };
  let lost = false;
  const items = templateRef['items'].map((item: unknown) => {
    if (!isJsonObject(item)) return item;
    const { value, hidden } = hide(item, TEMPLATE_ITEM_HIDDEN);
    lost ||= !isEmpty(hidden);
    return value;
  });
  return { value: { ...templateRef, items }, lost };
}

const templateFromElement: ElementLens = {
  down(hub) {
    if (!isJsonObject(hub)) return { value: hub, lost: false };
    if (hub['configMap'] === undefined && hub['secret'] === undefined) return 'hidden';
    const { value, hidden } = hide(hub, TEMPLATE_FROM_HIDDEN);
    const shown: Record<string, unknown> = { ...value };
    let lost = !isEmpty(hidden);
    for (const name of ['configMap', 'secret']) {
      if (shown[name] === undefined) continue;
      const reference = withoutTemplateAs(shown[name]);
      shown[name] = reference.value;
      lost ||= reference.lost;
    }
    return { value: shown, lost };
  },
  up: (shown) => shown,
  path: (hub) =>
    hub[1] === 'items' && hub[3] !== undefined && Object.hasOwn(TEMPLATE_ITEM_HIDDEN, hub[3])
      ? undefined
      : visiblePath(hub, TEMPLATE_FROM_HIDDEN),
};

/**
 * Absent means v2 in v1 and v1 in v1alpha1, so both have to be written out. The hub thereby carries `v1`,
 * which its schema refuses: templates for the old engine must never be rendered by the new one.
 */
const engineVersion = scalar(
  (hub) => hub ?? 'v2',
  (shown) => shown ?? 'v1',
);

const externalSecretV1alpha1 = object({
  hidden: { refreshPolicy: undefined, syncWindows: undefined },
  members: {
    data: list(dataElement),
    dataFrom: list(dataFromElement),
    target: object({
      hidden: { deletionPolicy: 'Retain', manifest: undefined },
      members: {
        template: object({
          hidden: { mergePolicy: 'Replace' },
          members: {
            engineVersion,
            metadata: object({ hidden: { finalizers: undefined }, revive: true }),
            templateFrom: list(templateFromElement),
          },
        }),
      },
    }),
  },
});

/** Whole seconds in v1beta1, rounded up; what cannot be read as a duration is not shown. */
const storeRefreshInterval = scalar((hub) => {
  if (typeof hub !== 'string') return hub;
  const ms = parseGoDuration(hub);
  return ms === undefined ? undefined : Math.ceil(ms / 1000);
});

const storeV1beta1 = object({ members: { refreshInterval: storeRefreshInterval } });
const storeV1alpha1 = object({ hidden: { refreshInterval: undefined, conditions: undefined } });

/** The view of an older version on the hub's spec. */
export const LENSES: Readonly<Record<ConvertibleKind, Readonly<Record<OlderVersion, Lens>>>> = {
  ExternalSecret: { v1beta1: same, v1alpha1: externalSecretV1alpha1 },
  SecretStore: { v1beta1: storeV1beta1, v1alpha1: storeV1alpha1 },
  ClusterSecretStore: { v1beta1: storeV1beta1, v1alpha1: storeV1alpha1 },
};
