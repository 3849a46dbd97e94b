/**
 * What does a template cost? Ten templates as people write them, parsed once and executed for a while, against Go's
 * text/template with the same functions (the oracle of template/), turn by turn in the same run.
 *
 * One JSON line a template, microseconds an execution; both must give the same output.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { parseTemplate } from '../template/engine.ts';
import { FUNCTIONS } from '../template/functions/index.ts';
import { unmarshalStringMap } from '../template/go-yaml.ts';
import { fromUtf8, GoMap, mapOf, T } from '../template/value.ts';
import { buildOracle } from '../test/oracles/go-template/goldens.ts';
import { quantile, report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    milliseconds: { type: 'string', default: '150' },
  },
});
const ROUNDS = Number(flags.rounds);
const MILLISECONDS = Number(flags.milliseconds);

interface Case {
  readonly name: string;
  readonly template: string;
  readonly data: Readonly<Record<string, string>>;
  /** It renders to YAML with keys and values, which is decoded besides. */
  readonly keysAndValues?: boolean;
}

/** An answer of the oracle. */
interface Timing {
  readonly ns: number;
  readonly n: number;
  readonly out: string;
}

const encoded = (data: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'latin1').toString('base64')]),
  );

/** The oracle, one question at a time. */
class Go {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: NodeJS.AsyncIterator<string>;

  constructor(program: string) {
    this.#child = spawn(program, ['-bench'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async measure({ name, template, data, keysAndValues = false }: Case, ms: number): Promise<Timing> {
    this.#child.stdin.write(
      `${JSON.stringify({ id: name, template, data: encoded(data), keysAndValues, ms })}\n`,
    );
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`the oracle ended at ${name}`);
    return JSON.parse(value) as Timing;
  }

  /** The output of a template that is executed once. */
  async render(template: string, data: Readonly<Record<string, string>> = {}): Promise<string> {
    const { out } = await this.measure({ name: 'input', template, data }, 0);
    return Buffer.from(out, 'base64').toString('latin1');
  }

  async stop(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

function measure({ template, data, keysAndValues = false }: Case, milliseconds: number): Timing {
  const parsed = parseTemplate('k', template, FUNCTIONS);
  const root = new GoMap(
    mapOf(T.string),
    new Map(Object.entries(data).map(([key, text]) => [fromUtf8(key), text])),
  );
  let n = 0;
  let out = '';
  const start = process.hrtime.bigint();
  const end = start + BigInt(Math.round(milliseconds * 1e6));
  let now = start;
  for (; now < end; now = process.hrtime.bigint()) {
    out = parsed.execute(root);
    if (keysAndValues) unmarshalStringMap(out);
    n += 1;
  }
  return { ns: Number(now - start) / n, n, out: Buffer.from(out, 'latin1').toString('base64') };
}

const CONFIG = `server:
  address: 0.0.0.0
  port: {{ .port | default "8080" | int }}
  tls:
    enabled: true
    certificate: /etc/tls/tls.crt
    key: /etc/tls/tls.key
  timeouts:
    read: 15s
    write: 30s
    idle: 2m
database:
  url: postgres://{{ .user | urlquery }}:{{ .password | urlquery }}@{{ .host }}:5432/{{ .database }}?sslmode=verify-full
  pool:
    min: 2
    max: {{ mul 4 (.replicas | int) }}
    lifetime: 30m
  schema: {{ .database | lower | replace "-" "_" }}
redis:
  {{- if hasPrefix "rediss://" .redis }}
  tls: true
  {{- else }}
  tls: false
  {{- end }}
  url: {{ .redis | quote }}
  password: {{ .redispassword | quote }}
smtp:
  host: mail.example.com
  user: {{ .user | upper }}
  password: {{ .password | b64enc }}
features:
{{- range $index, $feature := splitList "," .features }}
  - name: {{ $feature | trim }}
    rank: {{ add1 $index }}
{{- end }}
logging:
  level: {{ ternary "debug" "info" (eq .stage "dev") }}
  format: json
  labels:
    stage: {{ .stage }}
    app: {{ printf "%s-%s" .database .stage | trunc 30 | trimSuffix "-" }}
{{- with .extra }}
extra: |
{{ . | indent 2 }}
{{- end }}
`;
const CONFIG_DATA = {
  port: '8443',
  user: 'app',
  password: 'p@ss/w0rd?',
  host: 'db.example.com',
  database: 'Shop-Orders',
  replicas: '3',
  redis: 'rediss://cache.example.com:6379/0',
  redispassword: 'x"y',
  features: 'search, cart, checkout, wishlist',
  stage: 'prod',
  extra: 'first line\nsecond line',
};
const KEYS = Object.fromEntries(
  Array.from({ length: 20 }, (_, index) => [`key-${index}`, `value ${index} "quoted"`]),
);

/** What needs certificates and keys is made by Go itself, once. */
async function cases(go: Go): Promise<Case[]> {
  const pem = await go.render(
    '{{ $c := genSelfSignedCert "app.example.com" nil (list "app.example.com") 365 }}{{ $c.Cert }}|{{ $c.Key }}',
  );
  const [cert = '', key = ''] = pem.split('|');
  const pfx = await go.render('{{ pemToPkcs12Pass .cert .key "changeit" }}', { cert, key });
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [open = '', hidden = ''] = [pair.publicKey, pair.privateKey].map((one) =>
    JSON.stringify(one.export({ format: 'jwk' })),
  );
  return [
    {
      name: 'dockerconfigjson',
      template:
        '{"auths":{"{{ .registry }}":{"username":{{ .user | toJson }},"password":{{ .password | toJson }},"email":"{{ .email }}","auth":"{{ printf "%s:%s" .user .password | b64enc }}"}}}',
      data: { registry: 'registry.example.com', user: 'robot$app', password: 'p"ss', email: 'a@example.com' },
    },
    { name: 'config.yaml of 45 lines', template: CONFIG, data: CONFIG_DATA },
    {
      name: 'PKCS#12 from PEM and back',
      template:
        '{{ $p := pemToPkcs12Pass .cert .key "changeit" | b64dec }}{{ pkcs12keyPass "changeit" $p }}{{ pkcs12certPass "changeit" $p }}',
      data: { cert, key },
    },
    {
      name: 'TLS Secret from PFX',
      template: '{{ .pfx | b64dec | pkcs12certPass .password }}{{ .pfx | b64dec | pkcs12keyPass .password }}',
      data: { pfx, password: 'changeit' },
    },
    {
      name: 'range over 20 keys',
      template:
        '{{ range $key, $value := . }}{{ $key | upper | replace "-" "_" }}={{ $value | quote }}\n{{ end }}',
      data: KEYS,
    },
    {
      name: 'regular expressions',
      template:
        '{{ regexReplaceAll "^postgres://([^:]+):([^@]+)@(.*)$" .url "$1:$3" }} {{ regexFind "[0-9]{2,5}" .url }} {{ if regexMatch "sslmode=(require|verify-full)" .url }}tls{{ end }} {{ regexReplaceAllLiteral "[^a-z]+" .url "-" }}',
      data: { url: 'postgres://app:s3cr3t@db.example.com:5432/orders?sslmode=verify-full' },
    },
    {
      name: 'fromJson and toJson',
      template:
        '{{ $c := .config | fromJson }}{{ $c.database.host }}:{{ $c.database.port }} {{ set $c "stage" "prod" | toJson }} {{ range $c.users }}{{ .name }},{{ end }}{{ $c.database | toPrettyJson }}',
      data: {
        config:
          '{"database":{"host":"db","port":5432,"options":{"ssl":true,"timeout":1.5}},"users":[{"name":"ann","roles":["a","b"]},{"name":"bob","roles":[]}],"note":"<&>"}',
      },
    },
    {
      name: 'cluster Secret of argocd',
      template:
        'name: {{ .name | b64enc }}\nserver: {{ .server | b64enc }}\nconfig: {{ dict "bearerToken" .token "tlsClientConfig" (dict "insecure" false "caData" (.ca | b64enc)) | toJson | b64enc }}\nlabels: {{ list "argocd.argoproj.io/secret-type=cluster" (printf "stage=%s" .stage) | join "," }}\n',
      data: {
        name: 'prod-eu-1',
        server: 'https://10.0.0.1:6443',
        token: 'eyJhbGciOi.J9.x',
        ca: cert,
        stage: 'prod',
      },
    },
    {
      name: 'JWK to PEM',
      template: '{{ .open | jwkPublicKeyPem }}{{ .hidden | jwkPrivateKeyPem }}',
      data: { open, hidden },
    },
    {
      name: 'literal with keys and values',
      template:
        '{{ range $key, $value := . }}app_{{ $key | snakecase }}: {{ $value | toJson }}\n{{ end }}static: "on"\n',
      data: KEYS,
      keysAndValues: true,
    },
  ];
}

const oracle = buildOracle();
const go = new Go(oracle.program);
try {
  for (const one of await cases(go)) {
    measure(one, MILLISECONDS);
    const theirs: Timing[] = [];
    const ours: Timing[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      theirs.push(await go.measure(one, MILLISECONDS));
      ours.push(measure(one, MILLISECONDS));
    }
    if (ours[0]?.out !== theirs[0]?.out) throw new Error(`${one.name}: the output is not that of Go`);
    const median = (timings: readonly Timing[]): number =>
      quantile(
        timings.map(({ ns }) => ns / 1000),
        0.5,
      );
    report({
      bench: 'template',
      metric: one.name,
      value: median(ours),
      unit: 'us',
      baseline: median(theirs),
      n: ours.reduce((sum, { n }) => sum + n, 0),
    });
  }
} finally {
  await go.stop();
  oracle.remove();
}
