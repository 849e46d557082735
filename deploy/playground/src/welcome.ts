/** Welcome message of the playground. */
import { basename } from 'node:path';
import type { PlaygroundOptions } from './options.js';
import { type PlaygroundFile, tokenFilePath } from './playground-file.js';

/** Facts for the message in addition to the addresses. */
export interface WelcomeOptions {
  /** Seconds since the command. */
  readonly seconds: number;
  readonly options: PlaygroundOptions;
  /** Reason why payloads are not isolated here; undefined if they are. */
  readonly isolationFault?: string | undefined;
}

/** Addresses, a token to paste, and first commands. Scripts wait for the first line. */
export function welcome(file: PlaygroundFile, { seconds, options, isolationFault }: WelcomeOptions): string {
  const { pilots, transport } = options;
  return `
Rhizome playground ready after ${seconds.toFixed(1)} s (${transport} transport, ${pilots} ${pilots === 1 ? 'pilot' : 'pilots'})

  GraphQL    ${file.url}   (POST, GET, SSE)
  WebSocket  ${file.wsUrl}
  GraphiQL   ${file.graphiql}#token=${file.token}
  Dashboard  ${file.dashboard}#token=${file.token}

  A token to paste elsewhere, as "authorization: Bearer …":
  ${file.token}
${isolationNote(isolationFault)}
  First commands, in another terminal:
${commands(file, options)
  .map((command) => `  ${command}`)
  .join('\n')}
`;
}

/** Without isolation, some jobs would wait without a visible reason. */
function isolationNote(fault: string | undefined): string {
  if (fault === undefined) return '';
  return `
  Payloads are not isolated on this machine (${fault}).
  Jobs with secrets or a token wait until bubblewrap works here and the playground is started again:
  docs/how-to/operate-a-site.md#what-payloads-can-reach
`;
}

/** The command line finds `.rhizome/playground.json` itself; another folder must be named. */
function commands({ url }: PlaygroundFile, { data }: PlaygroundOptions): readonly string[] {
  const found = basename(data) === '.rhizome';
  const settings = found ? [] : [`export RHIZOME_URL=${url} RHIZOME_TOKEN_FILE=${tokenFilePath(data)}`];
  return [
    ...settings,
    "npx rhizome submit -e larkspur --name hello --watch -- sh -c 'echo hello from $(hostname)'",
    'npx rhizome list',
    'npx rhizome workers',
    'npx rhizome gpus',
    "npx rhizome submit -e larkspur --gpu models=A100 --gpu cudaRuntime=12.2 --watch -- sh -c 'echo $CUDA_VISIBLE_DEVICES'",
    'npx rhizome submit -e larkspur --gpu models=H100 -- true     # waits; npx rhizome why JOB explains why',
  ];
}
