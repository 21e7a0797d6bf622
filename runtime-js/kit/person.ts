import type { Props } from '../types';

/**
 * Who someone is, from traits in any of their spellings: email (lower case),
 * phone (digits and +), firstName, lastName, street, city, state, zip,
 * country, gender and birthday. For a vendor's names, pick() from it.
 */
export function person(t: Props): Props {
  const a = t.address || {};
  return {
    email: t.email && ('' + t.email).trim().toLowerCase(),
    phone: t.phone && ('' + t.phone).replace(/[^+\d]/g, ''),
    firstName: t.firstName || t.first_name,
    lastName: t.lastName || t.last_name,
    street: a.street,
    city: a.city || t.city,
    state: a.state || t.state,
    zip: a.postalCode || a.postal_code || a.zip || t.zip,
    country: a.country || t.country,
    gender: t.gender,
    birthday: t.birthday,
  };
}
