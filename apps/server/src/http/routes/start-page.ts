import type { Routes } from '../types.ts';

export const startPageRoutes: Routes = (app) => {
  app.get('/', { config: { public: true }, schema: { hide: true } }, async (_request, reply) => {
    return reply.type('text/html; charset=utf-8').send('<!doctype html><title>Carcosa</title><p>Carcosa runs. <a href="/api/v1/docs">Docs</a>');
  });
};
