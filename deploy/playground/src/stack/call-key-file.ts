import { join } from 'node:path';

/** Private key of the gateways in a data folder, with which they sign the tokens for subgraphs. */
export function callKeyFile(data: string): string {
  return join(data, 'call-key.json');
}
