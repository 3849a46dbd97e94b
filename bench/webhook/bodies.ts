/** Reviews as an API server sends them: three to four kilobytes, with what kubectl and managedFields add. */

const USER = {
  username: 'system:serviceaccount:argocd:argocd-application-controller',
  uid: '6e1d2c3b-0000-4000-8000-000000000001',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:argocd', 'system:authenticated'],
  extra: { 'authentication.kubernetes.io/credential-id': ['JTI=6e1d2c3b-0000-4000-8000-000000000002'] },
};

const metadata = (name: string, spec: object): object => ({
  name,
  namespace: 'bench',
  uid: '6e1d2c3b-0000-4000-8000-000000000003',
  generation: 1,
  creationTimestamp: '2026-11-22T10:00:00Z',
  labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/managed-by': 'argocd' },
  annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ spec }) },
  managedFields: [
    {
      manager: 'argocd-controller',
      operation: 'Apply',
      apiVersion: 'external-secrets.io/v1',
      time: '2026-11-22T10:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': { 'f:labels': { 'f:app.kubernetes.io/name': {} } },
        'f:spec': Object.fromEntries(Object.keys(spec).map((key) => [`f:${key}`, { '.': {} }])),
      },
    },
  ],
});

const EXTERNAL_SECRET = {
  refreshInterval: '1h',
  secretStoreRef: { kind: 'SecretStore', name: 'fake' },
  target: {
    name: 'app',
    creationPolicy: 'Owner',
    deletionPolicy: 'Retain',
    template: {
      type: 'Opaque',
      engineVersion: 'v2',
      mergePolicy: 'Replace',
      data: { url: 'postgres://{{ .username }}:{{ .password | urlquery }}@{{ .host }}:{{ .port }}/app' },
    },
  },
  data: ['username', 'password', 'host', 'port', 'ca'].map((key) => ({
    secretKey: key,
    remoteRef: {
      key: 'prod/database',
      property: key,
      conversionStrategy: 'Default',
      decodingStrategy: 'None',
      metadataPolicy: 'None',
    },
  })),
};
const STORE = {
  refreshInterval: 300,
  provider: {
    vault: {
      server: 'https://vault.example.com:8200',
      path: 'secret',
      version: 'v2',
      namespace: 'admin/team-a',
      auth: {
        kubernetes: { mountPath: 'kubernetes', role: 'app', serviceAccountRef: { name: 'external-secrets' } },
      },
    },
  },
};

function admission(kind: string, resource: string, spec: object): string {
  const [group, version] = ['external-secrets.io', 'v1'];
  return JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: '6e1d2c3b-0000-4000-8000-000000000004',
      kind: { group, version, kind },
      resource: { group, version, resource },
      requestKind: { group, version, kind },
      requestResource: { group, version, resource },
      name: 'app',
      namespace: 'bench',
      operation: 'CREATE',
      userInfo: USER,
      object: { apiVersion: `${group}/${version}`, kind, metadata: metadata('app', spec), spec },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    },
  });
}

/** By scenario: which hook, and the body. */
export const BODIES = {
  'validate ExternalSecret': {
    hook: 'validate',
    body: admission('ExternalSecret', 'externalsecrets', EXTERNAL_SECRET),
  },
  'validate SecretStore': { hook: 'validate', body: admission('SecretStore', 'secretstores', STORE) },
  'convert v1beta1 to v1': {
    hook: 'convert',
    body: JSON.stringify({
      kind: 'ConversionReview',
      apiVersion: 'apiextensions.k8s.io/v1',
      request: {
        uid: '6e1d2c3b-0000-4000-8000-000000000005',
        desiredAPIVersion: 'external-secrets.io/v1',
        objects: [
          {
            apiVersion: 'external-secrets.io/v1beta1',
            kind: 'ExternalSecret',
            metadata: metadata('app', EXTERNAL_SECRET),
            spec: EXTERNAL_SECRET,
          },
        ],
      },
    }),
  },
} as const;

export { EXTERNAL_SECRET };
