/** A page that counts its whole list on demand, such as `keysetPage` of `@rhizome/mongo` gives. */
interface CountedPage {
  readonly totalCount: () => Promise<number | null> | number;
}

/** Resolvers of a connection type: the whole list is counted only where a client selects `totalCount`. */
export const connection = {
  totalCount: ({ totalCount }: CountedPage): Promise<number | null> | number => totalCount(),
};
