/** Invitations: codes by which workers of a queue enrol. */
import { randomBytes } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import type { Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError, type InputError, InputErrors } from '@rhizome/errors';
import type { ProvenKey } from '../proof/proof-verifier.js';
import type { KeyEncryption } from '../tokens/key-encryption.js';
import type { InvitationDocument } from './enrolment.document.js';
import { checkExperiments, queueName } from './enrolment-rules.js';
import type { EnrolmentsRepository } from './enrolments.repository.js';
import { assertMayEnrolFor, mayEnrolIn, type QueueOwners } from './queue-owners.js';

/** Ports of {@link Invitations}. */
export interface InvitationsOptions {
  readonly enrolments: Pick<EnrolmentsRepository, 'invite' | 'invitation' | 'use'>;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** An invitation to write. */
export interface InvitationRequest {
  readonly queue: string;
  readonly experiments: readonly string[];
  readonly uses: number;
  readonly ttlSeconds: number;
  readonly netblock: string | null;
}

/** An invitation with its code, which is shown once, or the reasons for the refusal. */
export interface Invited {
  readonly code: string | null;
  readonly invitation: InvitationDocument | null;
  readonly userErrors: readonly InputError<'QUEUE_NOT_FOUND'>[];
}

/** A worker that uses an invitation. */
export interface InvitedWorker {
  readonly key: ProvenKey;
  readonly queue: string;
  readonly address: string;
}

/** Makes and uses invitations. */
export class Invitations {
  readonly #options: InvitationsOptions;

  constructor(options: InvitationsOptions) {
    this.#options = options;
  }

  /**
   * Makes a code by which workers of a queue enrol.
   * @throws DomainError FORBIDDEN, SERVICE_UNAVAILABLE
   */
  async invite(request: InvitationRequest, principal: Principal, owners: QueueOwners): Promise<Invited> {
    const { queue, experiments, uses, ttlSeconds, netblock } = request;
    assertMayEnrolFor(experiments, principal);
    const errors = new InputErrors<'QUEUE_NOT_FOUND'>();
    errors.form(['queue'], queue, queueName, 'the name of a queue');
    checkExperiments(experiments, errors);
    errors.int(['uses'], uses, 1, 10_000);
    errors.int(['ttlSeconds'], ttlSeconds, 60, 7 * 86_400);
    if (netblock !== null && !blockOf(netblock))
      errors.add(['netblock'], netblock, 'an address or a block such as 192.0.2.0/24');
    if (errors.isEmpty && !(await mayEnrolIn(queue, principal, owners)))
      errors.report(
        'QUEUE_NOT_FOUND',
        ['queue'],
        `Queue "${queue}" not found, or you may not enrol its workers.`,
      );
    if (!errors.isEmpty) return { code: null, invitation: null, userErrors: errors.all };
    const { enrolments, encryption, clock, ids } = this.#options;
    const now = clock.now();
    const code = `rhi_${randomBytes(32).toString('base64url')}`;
    const invitation: InvitationDocument = {
      _id: ids.next('inv'),
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      queue,
      experiments,
      codeDigest: encryption.digest(code),
      uses,
      used: 0,
      netblock,
      expiresAt: new Date(now.getTime() + ttlSeconds * 1000),
      createdBy: principal.subject,
    };
    await enrolments.invite(invitation);
    return { code, invitation, userErrors: [] };
  }

  /** True if there is an invitation with this code, whatever its state. */
  async isKnown(code: string): Promise<boolean> {
    const { enrolments, encryption } = this.#options;
    return (await enrolments.invitation(encryption.digest(code))) !== null;
  }

  /**
   * Uses an invitation, and the proof of the key, once. One text for every refusal: a guess learns nothing
   * about codes.
   * @throws DomainError UNAUTHENTICATED
   */
  async use(code: string, { queue, address, key }: InvitedWorker): Promise<InvitationDocument> {
    const { enrolments, encryption, clock } = this.#options;
    const found = await enrolments.invitation(encryption.digest(code));
    const isFor =
      found?.queue === queue && (found.netblock === null || blockOf(found.netblock)?.(address) === true);
    if (found && isFor) {
      await key.use();
      if (await enrolments.use(found._id, clock.now())) return found;
    }
    const text = 'The invitation is unknown, used up, has ended, or is for another queue or network';
    throw new DomainError('UNAUTHENTICATED', text);
  }
}

/** A test of addresses; undefined for a text that is no block. */
function blockOf(text: string): ((address: string) => boolean) | undefined {
  const [, net = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(net);
  if (version === 0) return undefined;
  const longest = version === 4 ? 32 : 128;
  const length = Number(bits ?? longest);
  if (length > longest) return undefined;
  const list = new BlockList();
  list.addSubnet(net, length, version === 4 ? 'ipv4' : 'ipv6');
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}
