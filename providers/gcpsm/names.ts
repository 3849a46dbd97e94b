/** Names of resources of Secret Manager. */
import { type GcpsmConfig, projectOf } from './config.ts';
import { originOf } from './environment.ts';

type Place = Pick<GcpsmConfig, 'projectID' | 'location' | 'auth' | 'secretVersionSelectionPolicy'>;

/** A colon stands in the ids of projects of companies, and means nothing in a path. */
const segment = (text: string): string => encodeURIComponent(text).replaceAll('%3A', ':');

/** `projects/<project>`, for regional secrets with their location; percent-encoded. */
export function parentOf(config: Place): string {
  const { location = '' } = config;
  const project = `projects/${segment(projectOf(config))}`;
  return location === '' ? project : `${project}/locations/${segment(location)}`;
}

export const secretName = (config: Place, key: string): string =>
  `${parentOf(config)}/secrets/${encodeURIComponent(key)}`;

/** The secret's name at Google, as policies know it: `projects/<project>/secrets/<key>`. */
export const canonicalName = (config: Place, key: string): string => `${parentOf(config)}/secrets/${key}`;

/** Regional secrets are served by their region alone. */
export const serverOf = ({ location = '' }: Place): string =>
  originOf(
    'SecretManager',
    location === ''
      ? 'https://secretmanager.googleapis.com'
      : `https://secretmanager.${location}.rep.googleapis.com`,
  );
