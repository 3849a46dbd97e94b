/**
 * Every key of spec.provider that users may have in a manifest. The API server prunes what a schema does
 * not declare before any webhook sees it, so the keys that we have no provider for are declared too: the
 * webhook then refuses them by name instead of reporting an empty provider.
 */

/** The 43 keys of External Secrets Operator 2.9. */
const ESO_KEYS = [
  'akeyless',
  'aws',
  'azurekv',
  'barbican',
  'beyondtrust',
  'beyondtrustworkloadcredentials',
  'bitwardensecretsmanager',
  'chef',
  'cloudrusm',
  'conjur',
  'crd',
  'delinea',
  'doppler',
  'dvls',
  'fake',
  'fortanix',
  'gcpsm',
  'github',
  'gitlab',
  'ibm',
  'infisical',
  'keepersecurity',
  'kubernetes',
  'nebiusmysterybox',
  'ngrok',
  'onboardbase',
  'onepassword',
  'onepasswordSDK',
  'openBao',
  'oracle',
  'ovh',
  'passbolt',
  'passworddepot',
  'previder',
  'pulumi',
  'scaleway',
  'secretserver',
  'senhasegura',
  'vault',
  'volcengine',
  'webhook',
  'yandexcertificatemanager',
  'yandexlockbox',
] as const;

/** Keys of v1alpha1 and v1beta1 that ESO dropped with v1. Declared everywhere, so that converting loses none. */
const DROPPED_KEYS = ['alibaba', 'device42'] as const;

/** Not in ESO: the provider of a published tutorial on writing one's own. */
const OWN_KEYS = ['express'] as const;

export const PROVIDER_KEYS = [...ESO_KEYS, ...DROPPED_KEYS, ...OWN_KEYS].sort();
