import { gatewayName, inProcessUrl } from '@rhizome/schema/repository';

/** Where the gateway's own fields are found in a supergraph. */
export const ownAddress = { name: gatewayName, endpoint: inProcessUrl(gatewayName) } as const;
