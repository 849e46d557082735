/** From the end of rights at one gateway to the end of open streams at two. */
import { playgroundQueue } from '@rhizome/playground';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { decodeJwt } from 'jose';
import { mutationText } from '../../e2e/system/api.js';
import { exchangeToken } from '../../e2e/system/token-endpoint.js';
import { proofHeaders, spokenCredential } from '../../e2e/system/worker-credentials.js';
import { type Api, connectApi } from '../api.js';
import { openStream } from './open-stream.js';
import { publishedExperiment, type Services } from './services.js';

const queues = 'subscription DeadlineQueues { queueChanged { cursor } }';

let people = 0;
let enrolments = 0;
let trusted: Promise<TestIssuer> | undefined;

/** Makes a change. @throws Error if it is refused */
async function change(admin: Api, field: string, input: object): Promise<void> {
  const data = await admin.post<Record<string, { userErrors: readonly { message: string }[] }>>(
    mutationText(field, 'userErrors { message }'),
    { input },
  );
  const [refused] = Object.values(data).flatMap(({ userErrors }) => userErrors);
  if (refused) throw new Error(refused.message);
}

/** An issuer whose people may read; a membership gives them more. */
async function trustedIssuer(admin: Api): Promise<TestIssuer> {
  const issuer = await testIssuer();
  const experiment = publishedExperiment;
  await change(admin, 'setTokenIssuer', {
    ...{ name: 'institute', issuer: issuer.issuer, profile: 'OIDC', audiences: [issuer.audience] },
    ...{ experiments: [experiment], roles: ['READER', 'PRODUCTION'] },
    rules: [{ name: 'all', isForEveryone: true, grants: [{ experiment, roles: ['READER'] }] }],
  });
  return issuer;
}

/** A token of Rhizome for a person of the issuer. */
async function tokenOf(issuer: TestIssuer, sub: string, origin: string): Promise<string> {
  const outside = await issuer.issue({ sub, client_id: undefined });
  return (await exchangeToken(origin, outside)).access_token;
}

/** Ends the membership of a person who follows jobs at both gateways; seconds to the end of both streams. */
export async function rightsLost({ gateways, api }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const issuer = await (trusted ??= trustedIssuer(admin));
  const { origin } = new URL(gateways[0].url);
  people += 1;
  const sub = `person-${people}`;
  const membership = {
    principalId: decodeJwt(await tokenOf(issuer, sub, origin)).sub,
    experiment: publishedExperiment,
  };
  await change(admin, 'setMembership', { ...membership, roles: ['PRODUCTION'] });
  const authorization = `Bearer ${await tokenOf(issuer, sub, origin)}`;
  const streams = await Promise.all(gateways.map(({ url }) => openStream(url, { authorization })));
  const begun = performance.now();
  await change(admin, 'setMembership', { ...membership, roles: [] });
  await Promise.all(streams.map(({ ended }) => ended));
  await admin.close();
  return (performance.now() - begun) / 1000;
}

/** Ends the elevation of a person who follows jobs at both gateways with its token. */
export async function elevationEnded({ gateways, api }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const issuer = await (trusted ??= trustedIssuer(admin));
  const { origin } = new URL(gateways[0].url);
  people += 1;
  const sub = `person-${people}`;
  const experiment = publishedExperiment;
  const principalId = decodeJwt(await tokenOf(issuer, sub, origin)).sub;
  const ready = { roles: [], elevatableRoles: ['PRODUCTION'] };
  await change(admin, 'setMembership', { principalId, experiment, ...ready });
  const person = connectApi(gateways[0].url, await tokenOf(issuer, sub, origin), 1);
  const { startElevation } = await person.post<{
    startElevation: { elevation: { id: string } | null; accessToken: string | null };
  }>(mutationText('startElevation', 'elevation { id } accessToken userErrors { message }'), {
    input: { experiment, roles: ['PRODUCTION'], reason: 'the queue of the night is stuck' },
  });
  const { elevation, accessToken } = startElevation;
  if (!elevation || accessToken === null) throw new Error('The elevation was refused');
  const authorization = `Bearer ${accessToken}`;
  const streams = await Promise.all(gateways.map(({ url }) => openStream(url, { authorization })));
  const begun = performance.now();
  await change(person, 'endElevation', { id: elevation.id });
  await Promise.all(streams.map(({ ended }) => ended));
  await Promise.all([admin.close(), person.close()]);
  return (performance.now() - begun) / 1000;
}

/** Ends the enrolment of a worker with streams at both gateways; seconds to the end of both. */
export async function enrolmentEnded({ gateways, api, place }: Services): Promise<number> {
  const admin = api(gateways[0]);
  enrolments += 1;
  const worker = { name: `enrolled-${enrolments}`, queue: playgroundQueue };
  const credential = await spokenCredential(place, worker);
  const token = await credential.token();
  const streams = await Promise.all(
    gateways.map(({ url }) => {
      const payload = proofHeaders(credential.key, token, url.replace(/^http/, 'ws'), 'GET');
      return openStream(url, payload, queues);
    }),
  );
  const begun = performance.now();
  await change(admin, 'endEnrolment', { id: credential.enrolmentId });
  await Promise.all(streams.map(({ ended }) => ended));
  await admin.close();
  return (performance.now() - begun) / 1000;
}
