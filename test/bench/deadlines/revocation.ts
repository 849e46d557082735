/** From the revocation of a caller at one gateway to the end of its open streams at two. */
import { openStream } from './open-stream.js';
import { publishedExperiment, type Services } from './services.js';

const revoke = /* GraphQL */ `
  mutation DeadlineRevoke($input: RevokeTokensInput!) {
    revokeTokens(input: $input) {
      userErrors {
        message
      }
    }
  }
`;

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
  const begun = performance.now();
  const { revokeTokens } = await admin.post<{
    revokeTokens: { userErrors: readonly { message: string }[] };
  }>(revoke, { input: { kind: 'PRINCIPAL', value: `playground:${subject}` } });
  const [refused] = revokeTokens.userErrors;
  if (refused) throw new Error(refused.message);
  await Promise.all(streams.map(({ ended }) => ended));
  await admin.close();
  return (performance.now() - begun) / 1000;
}
