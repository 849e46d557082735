/** A gateway with a store of identities, a core, and a real issuer at which people log in. */
import type { GatewayOptions } from '@rhizome/gateway';
import type { Identity } from '@rhizome/identity';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { type Api, apiOf } from '../system/api.js';
import { prepareWork, startIdentitySystem } from '../system/identity-system.js';
import { temporaryFolder } from '../system/temporary-folder.js';

/** A running system. */
export interface LoginSystem {
  /** A folder of its own. */
  readonly data: string;
  readonly url: string;
  /** The issuer at which people log in, `institute`. */
  readonly institute: TestIssuer;
  readonly identity: Identity;
  /** As the administrator. */
  readonly api: Api;
  /** Token of the administrator. */
  readonly admin: string;
}

/** Settings of {@link startLoginSystem}. */
export interface LoginSystemOptions {
  readonly gateway?: Partial<GatewayOptions>;
  /** Address of the gateway, known before it starts. */
  readonly port?: number;
  readonly redirectUris?: readonly string[];
  /** Roles that the institute may give. */
  readonly roles?: readonly string[];
}

/** The experiment in which people of the institute are users. */
export const experiment = 'alpha';

/** Starts the system; it ends with the file. */
export async function startLoginSystem(options: LoginSystemOptions = {}): Promise<LoginSystem> {
  const data = await temporaryFolder('login');
  const institute = await testIssuer({ redirectUris: options.redirectUris ?? [] });
  const { url, admin, identity } = await startIdentitySystem({
    folder: data,
    gateway: options.gateway ?? {},
    port: options.port ?? 0,
  });
  const api = apiOf(url, admin);
  await prepareWork(api);
  await api.change('setTokenIssuer', recordOf('institute', institute, options.roles));
  return { data, url, institute, identity, api, admin };
}

/** The record of an issuer whose people are users. */
export function recordOf(
  name: string,
  { issuer, audience, publicClient }: TestIssuer,
  roles: readonly string[] = ['USER', 'READER'],
): object {
  return {
    name,
    issuer,
    profile: 'OIDC',
    audiences: [audience],
    experiments: [experiment],
    roles,
    login: { clientId: publicClient, scopes: ['openid', 'profile'] },
    rules: [{ name: 'users', isForEveryone: true, grants: [{ experiment, roles: ['USER'] }] }],
  };
}
