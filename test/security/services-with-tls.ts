/** Core, an experiment and a gateway as processes of their own, each with a certificate. */
import { join } from 'node:path';
import {
  type Identities,
  openIdentities,
  registerFound,
  type Service,
  startCore,
  startExperiment,
  startGateway,
} from '@rhizome/playground';
import { silentLogger } from '@rhizome/log';
import { freePort } from '@rhizome/mongo';
import { discoverSubgraphs } from '@rhizome/schema';
import { leftovers, testMongo } from '@rhizome/testkit';
import { root } from '../e2e/system/playground-system.js';

/** A certificate and its key. */
export interface Certificate {
  readonly keyFile: string;
  readonly certFile: string;
}

/** The running services. */
export interface ServicesWithTls {
  /** Address of the gateway. */
  readonly url: string;
  readonly identities: Identities;
  /** Addresses of core and of the experiment. */
  readonly behind: readonly string[];
}

/** Starts the services with the experiment Larkspur; they end with the file. */
export async function startServicesWithTls(data: string, certificate: Certificate): Promise<ServicesWithTls> {
  const identities = await openIdentities(data);
  const { uri: mongoUri } = await testMongo();
  const found = discoverSubgraphs(root).filter(({ name }) => ['core', 'larkspur'].includes(name));
  const manifest = found.flatMap((one) => one.manifest ?? [])[0];
  if (!manifest) throw new Error('there is no experiment larkspur');
  const worldOf = (service: string) => ({
    ...{ data, issuer: identities.issuer, mongoUri },
    env: {
      [`RHIZOME_${service}_TLS_KEY_FILE`]: certificate.keyFile,
      [`RHIZOME_${service}_TLS_CERT_FILE`]: certificate.certFile,
      // The certificate is its own authority, for the calls of the services to each other.
      NODE_EXTRA_CA_CERTS: certificate.certFile,
    },
  });
  const kept = <S extends Service>(service: S): S => {
    leftovers.defer(service.name, () => service.kill());
    return service;
  };
  const port = await freePort();
  const gatewayUrl = `https://127.0.0.1:${port}/graphql`;
  const core = kept(await startCore(worldOf('CORE')));
  const token = await identities.service(manifest.name);
  const larkspur = kept(await startExperiment(worldOf('LARKSPUR'), { manifest, gatewayUrl, token }));
  const addressed = found.map((one) => ({ ...one, url: one.manifest ? larkspur.url : core.url }));
  await registerFound(addressed, { mongoUri, log: silentLogger() });
  const gateway = kept(await startGateway(worldOf('GATEWAY'), { port }));
  return { url: gateway.url, identities, behind: [core.url, larkspur.url] };
}

/** The program of the command line. */
export const cliProgram = join(root, 'clients', 'cli', 'bin', 'rhizome.mjs');
