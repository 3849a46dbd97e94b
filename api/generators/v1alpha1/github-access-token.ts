/** GithubAccessToken v1alpha1: fields of External Secrets Operator 2.9. */
import { z } from 'zod';
import { secretKeySelector } from '../../external-secrets/shared.ts';

export const githubAccessTokenSpec = z
  .strictObject({
    url: z.string().optional().describe('URL of the API. Absent means https://api.github.com.'),
    appID: z.string().describe('Id of the GitHub App.'),
    installID: z.string().describe('Id of its installation.'),
    repositories: z
      .array(z.string())
      .optional()
      .describe('Names of the repositories that the token is for. Absent means all of the installation.'),
    permissions: z
      .record(z.string(), z.string())
      .optional()
      .describe('What the token may do: `contents: read`. Absent means all that the App may.'),
    auth: z
      .strictObject({
        privateKey: z
          .strictObject({
            secretRef: secretKeySelector.describe(
              'Key of a Secret that holds the private key of the App, as PEM.',
            ),
          })
          .describe('The private key of the App.'),
      })
      .describe('How the App shows who it is.'),
  })
  .describe('The App, its installation, and what the token is for.');
export type GithubAccessTokenSpec = z.output<typeof githubAccessTokenSpec>;
