/** Annotations of a store that say where AWS is: VPC endpoints with names of their own, and stand-ins. */
import { ANNOTATION_AWS_ENDPOINT, ANNOTATION_AWS_STS_ENDPOINT } from '../../api/external-secrets/names.ts';
import { collector, type Problem } from '../../api/problem.ts';
import type { Annotations, StoreAnnotations } from '../contract.ts';
import type { AwsConfig } from './config.ts';
import type { AwsService } from './environment.ts';

const NAMES = [ANNOTATION_AWS_ENDPOINT, ANNOTATION_AWS_STS_ENDPOINT];

/** The service whose endpoint a store reads from. */
export const serviceOf = ({ service }: Pick<AwsConfig, 'service'>): AwsService =>
  service === 'ParameterStore' ? 'SSM' : 'SecretsManager';

function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, pathname, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '' && pathname === '/';
}

function validate(annotations: Annotations): Problem[] {
  const { report, problems } = collector();
  for (const annotation of NAMES) {
    const text = annotations[annotation];
    if (text === undefined || isServer(text)) continue;
    report(
      'aws-endpoint',
      [annotation],
      'must be the http or https URL of a server, without path and credentials: https://<host>',
    );
  }
  return problems;
}

/** What there are of both, as the block carries them. */
function apply(config: AwsConfig, annotations: Annotations): AwsConfig {
  const service = annotations[ANNOTATION_AWS_ENDPOINT];
  const sts = annotations[ANNOTATION_AWS_STS_ENDPOINT];
  if (service === undefined && sts === undefined) return config;
  return {
    ...config,
    endpoints: {
      ...(service === undefined ? {} : { [serviceOf(config)]: service }),
      ...(sts === undefined ? {} : { STS: sts }),
    },
  };
}

export const awsAnnotations: StoreAnnotations<AwsConfig> = { names: NAMES, validate, apply };
