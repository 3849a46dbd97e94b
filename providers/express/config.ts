/** The block spec.provider.express: an HTTP server that answers GET /keys/<key> with {"key": ..., "value": ...}. */
import { z } from 'zod';

export const expressConfigSchema = z
  .strictObject({
    host: z.string().describe('URL of the server, such as http://express-secrets-service.'),
  })
  .describe('A server of the tutorial on writing a provider: GET /keys/<key> answers with key and value.');

export type ExpressConfig = z.output<typeof expressConfigSchema>;
