/** What the playground says when it is ready. */
import type { PlaygroundFile } from './playground-file.js';

/** Addresses, a token to paste, and three first commands. The first line is what scripts wait for. */
export function welcome(
  file: PlaygroundFile,
  { seconds, pilots, transport }: { seconds: number; pilots: number; transport: string },
): string {
  return `
Rhizome playground ready after ${seconds.toFixed(1)} s (${transport} transport, ${pilots} pilots)

  GraphQL    ${file.url}   (POST, GET, SSE)
  WebSocket  ${file.wsUrl}
  GraphiQL   ${file.graphiql}

  A token to paste in GraphiQL's headers, as {"authorization": "Bearer …"}:
  ${file.token}

  Three first commands, in another terminal:
  npx rhizome submit -e larkspur --name hello -- sh -c 'echo hello from $(hostname)'
  npx rhizome list
  npx rhizome workers
`;
}
