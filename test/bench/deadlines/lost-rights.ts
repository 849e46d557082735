/** From the end of rights at one gateway to the end of open streams at two. */
import { playgroundQueue, type Service } from '@rhizome/playground';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { decodeJwt } from 'jose';
import { exchangeToken } from '../../e2e/system/token-endpoint.js';
import { proofHeaders, spokenCredential } from '../../e2e/system/worker-credentials.js';
import { type Api, connectApi } from '../api.js';
import { change } from '../change.js';
import { openStream, secondsToEnd } from './open-stream.js';
import { publishedExperiment, type Services } from './services.js';

const queues = 'subscription DeadlineQueues { queueChanged { cursor } }';

let people = 0;
let enrolments = 0;
let trusted: Promise<TestIssuer> | undefined;

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

interface Person {
  readonly principalId: string | undefined;
  /** A new token, with the rights that the person has now. */
  token(): Promise<string>;
}

/** A person of the issuer who was never there before. */
async function newPerson(admin: Api, { url }: Service): Promise<Person> {
  const issuer = await (trusted ??= trustedIssuer(admin));
  people += 1;
  const sub = `person-${people}`;
  const token = (): Promise<string> => tokenOf(issuer, sub, new URL(url).origin);
  return { principalId: decodeJwt(await token()).sub, token };
}

/** Ends the membership of a person who follows jobs at both gateways; seconds to the end of both streams. */
export async function rightsLost({ gateways, api }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const { principalId, token } = await newPerson(admin, gateways[0]);
  const membership = { principalId, experiment: publishedExperiment };
  await change(admin, 'setMembership', { ...membership, roles: ['PRODUCTION'] });
  const authorization = `Bearer ${await token()}`;
  const streams = await Promise.all(gateways.map(({ url }) => openStream(url, { authorization })));
  const seconds = await secondsToEnd(streams, () =>
    change(admin, 'setMembership', { ...membership, roles: [] }),
  );
  await admin.close();
  return seconds;
}

interface StartedElevation {
  readonly elevation: { readonly id: string };
  readonly accessToken: string;
}

/** Ends the elevation of a person who follows jobs at both gateways with its token. */
export async function elevationEnded({ gateways, api }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const { principalId, token } = await newPerson(admin, gateways[0]);
  const experiment = publishedExperiment;
  const ready = { roles: [], elevatableRoles: ['PRODUCTION'] };
  await change(admin, 'setMembership', { principalId, experiment, ...ready });
  const person = connectApi(gateways[0].url, await token(), 1);
  const { elevation, accessToken } = await change<StartedElevation>(
    person,
    'startElevation',
    { experiment, roles: ['PRODUCTION'], reason: 'the queue of the night is stuck' },
    'elevation { id } accessToken',
  );
  const authorization = `Bearer ${accessToken}`;
  const streams = await Promise.all(gateways.map(({ url }) => openStream(url, { authorization })));
  const seconds = await secondsToEnd(streams, () => change(person, 'endElevation', { id: elevation.id }));
  await Promise.all([admin.close(), person.close()]);
  return seconds;
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
  const seconds = await secondsToEnd(streams, () =>
    change(admin, 'endEnrolment', { id: credential.enrolmentId }),
  );
  await admin.close();
  return seconds;
}
