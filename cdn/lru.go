package cdn

import "container/list"

// lru is a map bounded by the cost of what it holds; the least recently used
// goes first. Not safe for concurrent use.
type lru[V any] struct {
	maxCost, cost int
	order         *list.List // of *lruItem[V], most recently used first
	items         map[string]*list.Element
}

type lruItem[V any] struct {
	key   string
	value V
	cost  int
}

func newLRU[V any](maxCost int) *lru[V] {
	return &lru[V]{maxCost: maxCost, order: list.New(), items: map[string]*list.Element{}}
}

func (l *lru[V]) get(key string) (v V, ok bool) {
	el, ok := l.items[key]
	if !ok {
		return v, false
	}
	l.order.MoveToFront(el)
	return el.Value.(*lruItem[V]).value, true
}

// put keeps v, unless it alone costs more than everything may.
func (l *lru[V]) put(key string, v V, cost int) {
	l.remove(key)
	if cost > l.maxCost {
		return
	}
	l.items[key] = l.order.PushFront(&lruItem[V]{key, v, cost})
	for l.cost += cost; l.cost > l.maxCost; {
		l.remove(l.order.Back().Value.(*lruItem[V]).key)
	}
}

func (l *lru[V]) remove(key string) {
	if el, ok := l.items[key]; ok {
		l.order.Remove(el)
		delete(l.items, key)
		l.cost -= el.Value.(*lruItem[V]).cost
	}
}
