/** Why each direct dependency is there, and the few exceptions that the report makes. */

/** By the name in package.json; what it does for us, and why it is not our own code. */
export const REASONS: Readonly<Record<string, string>> = {
  '@aws-sdk/client-secrets-manager': 'Requests and errors of AWS Secrets Manager, as AWS maintains them.',
  '@aws-sdk/client-ssm': 'The same for the Parameter Store.',
  '@aws-sdk/client-sts':
    'Roles: AssumeRole, and AssumeRoleWithWebIdentity with the token of a ServiceAccount.',
  '@azure/msal-node':
    'Tokens of Microsoft Entra. Key Vault itself is a few HTTP requests, so its SDK is not needed.',
  '@kubernetes/client-node':
    'Typed requests to the API server, and kubeconfigs. Transport, watches and leases are ours.',
  '@smithy/signature-v4':
    'Signs requests to AWS that have no client here: ECR, and the login at Vault by IAM.',
  acorn:
    'Parses the JavaScript in templates of kubernetes-external-secrets, which is then interpreted, never evaluated.',
  bcryptjs: 'Password hashes of the template functions `bcrypt` and `htpasswd`.',
  commander: 'Commands, flags and help of `esa`.',
  express: 'Routes and bodies of the webhook.',
  'google-auth-library': 'Tokens of Google. Secret Manager itself is a few HTTP requests.',
  'lru-cache': 'Caches with a bound, wherever something is kept.',
  'node-forge': 'Builds certificates and PKCS#12; keys come from Node.',
  'node-vault': 'Issues the requests to Vault; the transport below it is ours.',
  pino: 'Logs as JSON lines.',
  'prom-client': 'Metrics in the format of Prometheus.',
  re2js: 'Regular expressions of users in linear time, with the syntax of Go.',
  tinyqueue: 'The heap of the work queue.',
  undici: 'Pooled HTTP for the API server and the providers.',
  yaml: 'Reads and writes YAML with line numbers, and bounds what aliases may expand to.',
  zod: 'Schemas of all kinds and providers: CRDs, defaults and types come from them.',
  '@biomejs/biome': 'Format and lint.',
  '@cyclonedx/cyclonedx-library': 'Writes the bill of materials of the image; validates it in tests.',
  '@local/node24': 'The Node that everything runs on, pinned by hash (`tools/node24`).',
  '@swc/core': 'Parses TypeScript for dependency-cruiser.',
  '@types/express': 'Types.',
  '@types/node': 'Types.',
  '@types/node-forge': 'Types.',
  ajv: 'JSON schemas: what the library of CycloneDX validates with, as is the next.',
  'ajv-formats': 'Formats of them.',
  'ajv-formats-draft2019': 'More formats of them.',
  'dependency-cruiser': 'Checks the directions of imports.',
  esbuild: 'Bundles the programs.',
  'fast-check': 'Properties that hold for random input, in tests.',
  knip: 'Finds dead code.',
  oxlint: 'Lint with rules that need types.',
  'oxlint-tsgolint': 'The types for oxlint.',
  'tar-stream': 'Writes and reads the layers of the image.',
  typescript: 'Checks types; nothing is compiled with it.',
};

/** SPDX identifiers that we take: each permits use, change and distribution without asking for our source. */
export const ALLOWED_LICENCES: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Python-2.0',
  'Unlicense',
]);

/** Licences of packages that do not say theirs by an SPDX expression, as their files do. */
export const LICENCES_BY_HAND: Readonly<Record<string, string>> = {
  '@local/node24': 'Apache-2.0',
  tv4: 'MIT',
};

/** Packages that come with a script for the time of their installation, and why that does not matter. */
export const INSTALL_SCRIPTS: Readonly<Record<string, string>> = {
  '@swc/core': 'looks whether its binary is there; a tool, and the script is not run (`.npmrc`)',
  esbuild: 'the same',
};

/** Direct dependencies that no source imports, because they are programs or types. */
export const NOT_IMPORTED: Readonly<Record<string, string>> = {
  '@biomejs/biome': 'program `biome`',
  '@local/node24': 'program `node`',
  '@types/express': 'types of express',
  '@types/node': 'types of Node',
  '@types/node-forge': 'types of node-forge',
  ajv: 'peer of @cyclonedx/cyclonedx-library, which loads it to validate',
  'ajv-formats': 'the same',
  'ajv-formats-draft2019': 'the same',
  'dependency-cruiser': 'program `depcruise`',
  knip: 'program `knip`',
  oxlint: 'program `oxlint`',
  'oxlint-tsgolint': 'plugin of oxlint',
  typescript: 'program `tsc`',
};
