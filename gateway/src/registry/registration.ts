/** Registers subgraphs: name, type prefix and endpoint. */
import type { Clock } from '@rhizome/clock';
import { can, type Principal } from '@rhizome/authz';
import type { EndpointPolicy } from '../transports/index.js';
import type { OwnSubgraph } from './own-member.js';
import { invalid, refuse, type SchemaRefusal } from './refusal.js';
import { assertMayChange } from './rights.js';
import type { RegistryRepository } from './store/registry.repository.js';
import type { SubgraphDocument } from './store/subgraph.document.js';

/** A subgraph to register. */
export interface Registration {
  readonly name: string;
  readonly endpoint: string;
  readonly typePrefix: string | null;
}

type RegistrationRefusal = SchemaRefusal<'INVALID_VALUE' | 'TYPE_PREFIX_TAKEN' | 'APPROVAL_NEEDED'>;

/** The subgraph, or the reason for the refusal. */
export interface Registered {
  readonly subgraph: SubgraphDocument | null;
  readonly userErrors: readonly RegistrationRefusal[];
}

/** Ports of the registration. */
export interface RegistrationOptions {
  readonly repository: RegistryRepository;
  readonly own: OwnSubgraph;
  readonly clock: Clock;
  /** Addresses that may be registered; default: all. */
  readonly endpoints?: EndpointPolicy | undefined;
}

const names = /^[a-z][a-z0-9]{1,30}$/;
const prefixes = /^[A-Z][A-Za-z0-9]{1,30}$/;

/**
 * Registers a subgraph, or changes its endpoint. A move by a caller with the permission in the experiment
 * only is recorded, and takes place when a caller with the permission in all experiments registers the same
 * endpoint: the service at the endpoint answers for all users of the experiment.
 * @throws DomainError FORBIDDEN
 */
export async function registerSubgraph(
  { repository, own, clock, endpoints }: RegistrationOptions,
  { name, endpoint, typePrefix }: Registration,
  principal: Principal,
): Promise<Registered> {
  assertMayChange(principal, { _id: name, typePrefix }, 'subgraph:register');
  const registered = await repository.subgraphs();
  const known = registered.find(({ _id }) => _id === name);
  // A caller who may register for an experiment must not take over a subgraph of core.
  if (known) assertMayChange(principal, known, 'subgraph:register');
  const userErrors = faults({ name, endpoint, typePrefix }, own.name, registered, endpoints);
  if (userErrors.length > 0) return { subgraph: null, userErrors };
  if (known && known.endpoint !== endpoint && !can(principal, 'subgraph:register', '*')) {
    await repository.proposeEndpoint(
      name,
      { pendingEndpoint: endpoint, pendingBy: principal.subject },
      clock.now(),
    );
    return { subgraph: null, userErrors: [pending(endpoint)] };
  }
  const fields = { typePrefix, endpoint, registeredBy: principal.subject };
  const subgraph = await repository.upsertSubgraph(name, fields, clock.now());
  return subgraph
    ? { subgraph, userErrors: [] }
    : { subgraph: null, userErrors: [prefixTaken(typePrefix ?? '', 'another subgraph')] };
}

function faults(
  { name, endpoint, typePrefix }: Registration,
  ownName: string,
  registered: readonly SubgraphDocument[],
  endpoints: EndpointPolicy | undefined,
): RegistrationRefusal[] {
  const found: RegistrationRefusal[] = [];
  if (!names.test(name) || name === ownName) {
    const form = '2 to 31 lower-case letters and digits, beginning with a letter';
    found.push(
      invalid('name', name, name === ownName ? `another name; "${name}" is the gateway itself` : form),
    );
  }
  if (!isHttpUrl(endpoint)) {
    found.push(invalid('endpoint', endpoint, 'an http: or https: address without user and password'));
  } else if (endpoints?.mayRegister(endpoint) === false) {
    found.push(invalid('endpoint', endpoint, 'an address that the gateway allows for subgraphs'));
  }
  if (typePrefix === null) return found;
  if (!prefixes.test(typePrefix)) {
    found.push(invalid('typePrefix', typePrefix, 'PascalCase, 2 to 31 letters and digits'));
  }
  // If one prefix began with another, one subgraph would own the other's types.
  const alike = registered.find(
    (one) =>
      one._id !== name &&
      one.typePrefix !== null &&
      (one.typePrefix.startsWith(typePrefix) || typePrefix.startsWith(one.typePrefix)),
  );
  if (alike) found.push(prefixTaken(typePrefix, `"${alike._id}" (${alike.typePrefix})`));
  return found;
}

function pending(endpoint: string): RegistrationRefusal {
  const text = `the move to ${endpoint} is recorded; it takes place when an administrator of all experiments registers the same endpoint`;
  return refuse('APPROVAL_NEEDED', 'endpoint', text);
}

function prefixTaken(prefix: string, by: string): RegistrationRefusal {
  return refuse(
    'TYPE_PREFIX_TAKEN',
    'typePrefix',
    `"${prefix}" collides with the prefix of ${by}; neither may begin with the other`,
  );
}

function isHttpUrl(text: string): boolean {
  if (text.length > 2000 || !URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
}
