// The calls every integration is tried with, unless its steps.txtar has its own.
analytics.setAnonymousId('anon-1')
analytics.page('Docs', 'Index', {}, { messageId: 'm-page' })
analytics.track('Signed Up', { plan: 'pro', nested: { deep: 1 } }, { messageId: 'm-signup' })
analytics.identify('user-1', {
  email: 'ann@shop.example', firstName: 'Ann', lastName: 'Lee', plan: 'pro', createdAt: '2025-01-02T03:04:05Z', address: { city: 'Oslo' },
}, { messageId: 'm-identify' })
analytics.track('Product Viewed', { product_id: 'p-1', name: 'Pan', category: 'Home/Kitchen', price: 19.99, quantity: 2, currency: 'eur' }, { messageId: 'm-viewed' })
analytics.track('Order Completed', {
  order_id: 'o-1', total: 45.98, revenue: 39.98, tax: '4.00', shipping: 2, currency: 'EUR',
  products: [{ product_id: 'p-1', name: 'Pan', price: 19.99, quantity: 1 }, { sku: 'p-2', name: 'Lid', price: 19.99, quantity: 1 }],
}, { messageId: 'm-order' })
analytics.group('team-1', { name: 'Acme', plan: 'enterprise' }, { messageId: 'm-group' })
analytics.alias('user-2', 'user-1', { messageId: 'm-alias' })
analytics.reset()
analytics.track('After Reset', {}, { messageId: 'm-after' })
