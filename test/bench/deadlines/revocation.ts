/** From the revocation of a caller at one gateway to the end of its open streams at two. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { issuerAlias, publishedExperiment, type Services } from './services.js';

const revoke = /* GraphQL */ `
  mutation DeadlineRevoke($input: RevokeTokensInput!) {
    revokeTokens(input: $input) {
      userErrors {
        message
      }
    }
  }
`;
const followed = 'subscription DeadlineFollow { jobStateChanged { cursor } }';
/** A query after the subscription on the same socket: when it is answered, the stream is open. */
const me = 'query DeadlineMe { viewer { subject } }';

let callers = 0;

interface Message {
  readonly id?: string;
  readonly type: string;
}

/** Revokes the tokens of a caller that follows jobs at both gateways; seconds to the end of both streams. */
export async function revoked({ gateways, api, identities }: Services): Promise<number> {
  callers += 1;
  const subject = `revoked-${callers}@playground`;
  const token = await identities.issuer.mint({
    subject,
    kind: 'HUMAN',
    grants: [{ experiment: publishedExperiment, roles: ['READER'] }],
    ttlSeconds: 3600,
  });
  const streams = await Promise.all(gateways.map(({ url }) => openStream(url, token)));
  const admin = api(gateways[0]);
  const begun = performance.now();
  const { revokeTokens } = await admin.post<{
    revokeTokens: { userErrors: readonly { message: string }[] };
  }>(revoke, { input: { kind: 'PRINCIPAL', value: `${issuerAlias}:${subject}` } });
  const [refused] = revokeTokens.userErrors;
  if (refused) throw new Error(refused.message);
  await Promise.all(streams.map(({ ended }) => ended));
  await admin.close();
  return (performance.now() - begun) / 1000;
}

/** Opens a stream over a socket; resolves with the end of the socket. */
async function openStream(url: string, token: string): Promise<{ readonly ended: Promise<unknown> }> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws');
  const ended = once(socket, 'close');
  await once(socket, 'open');
  const send = (message: object): void => socket.send(JSON.stringify(message));
  const until = (type: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const read = (data: Buffer): void => {
        const message = JSON.parse(data.toString('utf8')) as Message;
        if (message.type === 'error') reject(new Error(`the stream was refused: ${data.toString('utf8')}`));
        if (message.type !== type) return;
        socket.off('message', read);
        resolve();
      };
      socket.on('message', read);
      void ended.then(() => reject(new Error('the socket closed before the stream was open')));
    });
  send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await until('connection_ack');
  send({ id: 'stream', type: 'subscribe', payload: { query: followed } });
  send({ id: 'query', type: 'subscribe', payload: { query: me } });
  await until('complete');
  return { ended };
}
