import { LINK_PAGE_HEADERS, LINK_PAGES, linkPage } from '../link-pages/page.ts';
import type { Routes } from '../types.ts';

/** The pages that links in mails open. */
export const linkPageRoutes: Routes = (app, { publicUrl }) => {
  const prefix = new URL(publicUrl).pathname.replace(/\/$/, '');
  for (const [name, page] of Object.entries(LINK_PAGES)) {
    const html = linkPage(page, prefix);
    app.get(`/auth/${name}`, { config: { public: true }, schema: { hide: true } }, async (_request, reply) => {
      return reply.type('text/html; charset=utf-8').headers(LINK_PAGE_HEADERS).send(html);
    });
  }
};
