/** Checks of what is behind the gateway: subgraphs, issuers, storages. */
import type { ApiClient } from '@rhizome/client';
import type { Check, Finding } from '@rhizome/deployment';
import {
  CliStoragesDocument,
  CliSubgraphsDocument,
  CliTokenIssuersDocument,
} from '../../operations.generated.js';
import { reasonOf, statusOf } from './request.js';

/** Most storages that are checked. */
const mostStorages = 100;

/** Checks of the graph, with the rights of the caller. */
export function graphChecks(client: ApiClient, signal: AbortSignal): readonly Check[] {
  return [
    { check: 'subgraphs', run: () => subgraphs(client) },
    { check: 'issuers', run: () => issuers(client, signal) },
    { check: 'storages', run: () => storages(client, signal) },
  ];
}

async function subgraphs(client: ApiClient): Promise<readonly Finding[]> {
  const { fail, ok } = await import('@rhizome/deployment');
  const found = (await client.query(CliSubgraphsDocument, {})).subgraphs;
  if (found.length === 0) return [fail('subgraphs', 'none', 'register and publish core and the experiments')];
  return found.map(({ name, isLive, state, lastError }) => {
    const check = `subgraph ${name}`;
    if (!isLive)
      return fail(check, 'has no published schema', `publish it with "rhizome schema publish ${name}"`);
    if (state === 'UP') return ok(check, 'published and reachable');
    return fail(
      check,
      `${state}: ${lastError ?? 'no error yet'}`,
      'start the service, or check its endpoint with "rhizome subgraphs"',
    );
  });
}

async function issuers(client: ApiClient, signal: AbortSignal): Promise<readonly Finding[]> {
  const { fail, ok } = await import('@rhizome/deployment');
  const { tokenIssuers } = await client.query(CliTokenIssuersDocument, {});
  const enabled = (tokenIssuers ?? []).filter(({ isEnabled }) => isEnabled);
  return Promise.all(
    enabled.map(async ({ name, issuer, jwksUri }) => {
      const check = `issuer ${name}`;
      const address = jwksUri ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
      const cure = 'check the address with "rhizome auth explain", and the network to it';
      try {
        const status = await statusOf(new URL(address), 'GET', signal);
        return status < 300
          ? ok(check, 'reachable from this host')
          : fail(check, `${address} answers ${status}`, cure);
      } catch (error) {
        return fail(check, `${address}: ${reasonOf(error)}`, cure);
      }
    }),
  );
}

async function storages(client: ApiClient, signal: AbortSignal): Promise<readonly Finding[]> {
  const { fail, ok, warn } = await import('@rhizome/deployment');
  const found = await client.query(CliStoragesDocument, { first: mostStorages });
  return Promise.all(
    found.storages.nodes.map(async ({ name, address, webAddress }) => {
      const check = `storage ${name}`;
      const web = [webAddress, address].find((one) => /^https?:/.test(one ?? ''));
      if (web == null) return warn(check, `${address} is no web address`, 'check it from a worker node');
      const cure = 'check the address of the storage, and the network to it';
      try {
        // Any answer will do: without its credential, a storage refuses.
        const status = await statusOf(new URL(web), 'HEAD', signal);
        return status >= 500
          ? fail(check, `${web} answers ${status}`, cure)
          : ok(check, 'reachable from this host');
      } catch (error) {
        return fail(check, `${web}: ${reasonOf(error)}`, cure);
      }
    }),
  );
}
