/** Opens the registry and its dependencies; only a gateway that has a registry loads this module. */
import { createIds } from '@rhizome/clock';
import { Registry, type RegistryOptions } from './registry.js';
import { openRegistryStore } from './store/open.repository.js';

/** A registry, and its connection to the store. */
export interface OpenedRegistry {
  readonly registry: Registry;
  /** Closes the registry, then the connection. */
  close(): Promise<void>;
}

/** @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached */
export async function openRegistry(
  { mongoUri, database = 'gateway' }: { readonly mongoUri: string; readonly database?: string },
  options: Omit<RegistryOptions, 'repository' | 'uses' | 'ids'>,
): Promise<OpenedRegistry> {
  const store = await openRegistryStore(mongoUri, database);
  try {
    const { repository, uses } = store;
    const registry = await Registry.open({ ...options, repository, uses, ids: createIds() });
    return {
      registry,
      close: async () => {
        await registry.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}
