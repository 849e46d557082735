/** From the end of rights at one gateway to the end of open streams at two. */
import { playgroundQueue } from '@rhizome/playground';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { enrolWorkerAt } from '../../e2e/system/enrolled-worker.js';
import type { Api } from '../api.js';
import { openStream } from './open-stream.js';
import { publishedExperiment, type Services } from './services.js';

const trust = /* GraphQL */ `
  mutation DeadlineTrust($input: SetTokenIssuerInput!) {
    setTokenIssuer(input: $input) {
      userErrors {
        message
      }
    }
  }
`;
const member = /* GraphQL */ `
  mutation DeadlineMember($input: SetMembershipInput!) {
    setMembership(input: $input) {
      userErrors {
        message
      }
    }
  }
`;
const endEnrolment = /* GraphQL */ `
  mutation DeadlineEndEnrolment($input: EndEnrolmentInput!) {
    endEnrolment(input: $input) {
      userErrors {
        message
      }
    }
  }
`;
const queues = 'subscription DeadlineQueues { queueChanged { cursor } }';

let people = 0;
let trusted: Promise<TestIssuer> | undefined;

/** Makes a change. @throws Error if it is refused */
async function change(admin: Api, query: string, input: object): Promise<void> {
  const data = await admin.post<Record<string, { userErrors: readonly { message: string }[] }>>(query, {
    input,
  });
  const [refused] = Object.values(data).flatMap(({ userErrors }) => userErrors);
  if (refused) throw new Error(refused.message);
}

/** An issuer whose people may read; a membership gives them more. */
async function trustedIssuer(admin: Api): Promise<TestIssuer> {
  const issuer = await testIssuer();
  const experiment = publishedExperiment;
  await change(admin, trust, {
    ...{ name: 'institute', issuer: issuer.issuer, profile: 'OIDC', audiences: [issuer.audience] },
    ...{ experiments: [experiment], roles: ['READER', 'PRODUCTION'] },
    rules: [{ name: 'all', isForEveryone: true, grants: [{ experiment, roles: ['READER'] }] }],
  });
  return issuer;
}

/** A token of Rhizome for a person of the issuer. */
async function tokenOf(issuer: TestIssuer, sub: string, origin: string): Promise<string> {
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await issuer.issue({ sub, client_id: undefined }),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  });
  const response = await fetch(`${origin}/oauth/token`, { method: 'POST', body });
  const text = await response.text();
  const { access_token: token } = JSON.parse(text) as { readonly access_token?: string };
  if (token === undefined) throw new Error(text);
  return token;
}

const subjectOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub: string }).sub;

/** Ends the membership of a person who follows jobs at both gateways; seconds to the end of both streams. */
export async function rightsLost({ gateways, api }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const issuer = await (trusted ??= trustedIssuer(admin));
  const { origin } = new URL(gateways[0].url);
  people += 1;
  const sub = `person-${people}`;
  const membership = {
    principalId: subjectOf(await tokenOf(issuer, sub, origin)),
    experiment: publishedExperiment,
  };
  await change(admin, member, { ...membership, roles: ['PRODUCTION'] });
  const authorization = `Bearer ${await tokenOf(issuer, sub, origin)}`;
  const streams = await Promise.all(gateways.map(({ url }) => openStream(url, { authorization })));
  const begun = performance.now();
  await change(admin, member, { ...membership, roles: [] });
  await Promise.all(streams.map(({ ended }) => ended));
  await admin.close();
  return (performance.now() - begun) / 1000;
}

/** Ends the enrolment of a worker with streams at both gateways; seconds to the end of both. */
export async function enrolmentEnded({ gateways, api, identities }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const { origin } = new URL(gateways[0].url);
  const { key, token, enrolment } = await enrolWorkerAt({
    ...{ origin, admin: await identities.newcomer(), queue: playgroundQueue, experiments: ['*'] },
  });
  const streams = await Promise.all(
    gateways.map(({ url }) => {
      const proof = key.proof({ method: 'GET', url: url.replace(/^http/, 'ws'), token });
      return openStream(url, { authorization: `DPoP ${token}`, dpop: proof }, queues);
    }),
  );
  const begun = performance.now();
  await change(admin, endEnrolment, { id: enrolment });
  await Promise.all(streams.map(({ ended }) => ended));
  await admin.close();
  return (performance.now() - begun) / 1000;
}
