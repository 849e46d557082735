/** From the revocation of a caller at one gateway to the end of its open streams at two. */
import { change } from '../change.js';
import { openStream, secondsToEnd } from './open-stream.js';
import { publishedExperiment, type Services } from './services.js';

let callers = 0;

/** Revokes the tokens of a caller that follows jobs at both gateways; seconds to the end of both streams. */
export async function revoked({ gateways, api, identities }: Services): Promise<number> {
  callers += 1;
  const subject = `revoked-${callers}`;
  const token = await identities.issuer.mint({
    subject,
    kind: 'HUMAN',
    grants: [{ experiment: publishedExperiment, roles: ['READER'] }],
    ttlSeconds: 3600,
  });
  const streams = await Promise.all(
    gateways.map(({ url }) => openStream(url, { authorization: `Bearer ${token}` })),
  );
  const admin = api(gateways[0]);
  const seconds = await secondsToEnd(streams, () =>
    change(admin, 'revokeTokens', { kind: 'PRINCIPAL', value: `playground:${subject}` }),
  );
  await admin.close();
  return seconds;
}
