// Vite takes styles out of imports.
declare module '*.css';
